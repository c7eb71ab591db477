import { encodeItem } from "../../api/messages";

/** What is listed of one kind of object. */
interface SummaryFields<T, State> {
  /** The encoded summary, but for the state. It never changes. */
  encode(object: T): Uint8Array;
  /** The encoded summary that has nothing but a state. */
  encodeState(state: State): Uint8Array;
}

/**
 * Encodes lists of objects. They are asked for each second and more often, and of an object only the state ever changes: its
 * item is encoded anew when the state is another one than last time.
 */
export class Summaries<T extends object, State> {
  private readonly known = new WeakMap<T, { state: State; item: Uint8Array }>();

  constructor(private readonly fields: SummaryFields<T, State>) {}

  /** A response whose field 1 is the list. */
  encodeList(listed: { object: T; state: State }[]): Uint8Array {
    return Buffer.concat(listed.map(({ object, state }) => this.itemOf(object, state)));
  }

  private itemOf(object: T, state: State): Uint8Array {
    const known = this.known.get(object);
    if (known?.state === state) return known.item;
    const item = encodeItem([this.fields.encode(object), this.fields.encodeState(state)]);
    this.known.set(object, { state, item });
    return item;
  }
}
