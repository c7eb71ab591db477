import { encodeItem } from "../../api/messages";

/**
 * Encodes lists of objects. They are asked for each second and more often, and of an object only the state ever changes: its
 * item is encoded anew when the state is another one than last time.
 */
export class Summaries<T extends object, State> {
  private readonly known = new WeakMap<T, { state: State; item: Uint8Array }>();

  /** @param encode the message of an object in a state; nothing else of the object may ever change */
  constructor(private readonly encode: (object: T, state: State) => Uint8Array) {}

  /** A response whose field 1 is the list. */
  encodeList(listed: { object: T; state: State }[]): Uint8Array {
    return Buffer.concat(listed.map(({ object, state }) => this.itemOf(object, state)));
  }

  private itemOf(object: T, state: State): Uint8Array {
    const known = this.known.get(object);
    if (known?.state === state) return known.item;
    const item = encodeItem(this.encode(object, state));
    this.known.set(object, { state, item });
    return item;
  }
}
