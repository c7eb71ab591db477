import { MultiMap } from "./multi-map";

/** A map of long keys, whose values are found by a beginning of their key as well, however many there are. */
export class PrefixMap<K extends string, V> extends Map<K, V> {
  private readonly starts = new MultiMap<string, K>();

  /** @param startLength what differs in the first so many characters of keys is told apart at once; a shorter beginning takes a look at all */
  constructor(private readonly startLength: number) {
    super();
  }

  override set(key: K, value: V): this {
    this.starts.add(key.slice(0, this.startLength), key);
    return super.set(key, value);
  }

  override delete(key: K): boolean {
    this.starts.remove(key.slice(0, this.startLength), key);
    return super.delete(key);
  }

  /** The values whose key begins so. */
  startingWith(beginning: string): V[] {
    const isShort = beginning.length < this.startLength;
    const keys = isShort ? [...this.keys()] : this.starts.get(beginning.slice(0, this.startLength));
    return keys.filter((key) => key.startsWith(beginning)).map((key) => this.get(key)!);
  }
}
