import { encodeList } from "../../api/messages";

/** What is listed of one kind of object. */
interface SummaryFields<T, State> {
  /** The encoded summary, but for the state. It never changes. */
  encode(object: T): Uint8Array;
  /** The encoded summary that has nothing but a state. */
  encodeState(state: State): Uint8Array;
}

/**
 * Encodes lists of objects. They are asked for each second and more often, and of an object only the state ever changes: the
 * rest is encoded once, as long as the object is there.
 */
export class Summaries<T extends object, State> {
  private readonly known = new WeakMap<T, Uint8Array>();
  private readonly states = new Map<State, Uint8Array>();

  constructor(private readonly fields: SummaryFields<T, State>) {}

  /** A response whose field 1 is the list. */
  encodeList(listed: { object: T; state: State }[]): Uint8Array {
    return encodeList(listed.map(({ object, state }) => [this.ofObject(object), this.ofState(state)]));
  }

  private ofObject(object: T): Uint8Array {
    return this.known.get(object) ?? keep(this.known, object, this.fields.encode(object));
  }

  private ofState(state: State): Uint8Array {
    return this.states.get(state) ?? keep(this.states, state, this.fields.encodeState(state));
  }
}

function keep<K, V>(known: { set(key: K, value: V): unknown }, key: K, value: V): V {
  known.set(key, value);
  return value;
}
