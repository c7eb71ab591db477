/** Several values of a key, in the order in which they came. */
export class MultiMap<K, V> {
  private readonly values = new Map<K, Set<V>>();

  add(key: K, value: V): void {
    const known = this.values.get(key);
    if (known) known.add(value);
    else this.values.set(key, new Set([value]));
  }

  /** Does nothing where it is not there. */
  remove(key: K, value: V): void {
    const known = this.values.get(key);
    known?.delete(value);
    if (known?.size === 0) this.values.delete(key);
  }

  has(key: K): boolean {
    return this.values.has(key);
  }

  get(key: K): V[] {
    return [...(this.values.get(key) ?? [])];
  }
}
