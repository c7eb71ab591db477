import { BerthError } from "../../api/errors";
import { MultiMap } from "../../sys/multi-map";
import { PrefixMap } from "../../sys/prefix-map";

/** What is typed of an ID is rarely shorter; crictl shows 13. */
const startLength = 4;

/** Objects by ID, found by any beginning of the ID that only one has, as containerd and Docker do. */
export class ObjectIndex<T extends { readonly id: string }> {
  private readonly objects = new PrefixMap<string, T>(startLength);
  private readonly groups = new MultiMap<string, T>();

  /** @param groupOf what inGroup() finds an object by, which must not change */
  constructor(
    private readonly kind: string,
    private readonly groupOf?: (object: T) => string,
  ) {}

  set(object: T): void {
    this.delete(object.id);
    this.objects.set(object.id, object);
    if (this.groupOf) this.groups.add(this.groupOf(object), object);
  }

  delete(id: string): void {
    const object = this.objects.get(id);
    if (!object) return;
    this.objects.delete(id);
    if (this.groupOf) this.groups.remove(this.groupOf(object), object);
  }

  /** The one of exactly that ID. */
  exactly(id: string): T | undefined {
    return this.objects.get(id);
  }

  /** Those of one group, in the order of creation. */
  inGroup(name: string): T[] {
    return this.groups.get(name);
  }

  /** In the order of creation. */
  list(): T[] {
    return [...this.objects.values()];
  }

  /** Undefined where there is none. Throws InvalidArgument for an empty ID or a beginning that several have. */
  find(idOrPrefix: string): T | undefined {
    const exact = this.objects.get(idOrPrefix);
    if (exact) return exact;
    if (idOrPrefix === "") throw new BerthError("InvalidArgument", `the ${this.kind} ID is empty`);
    if (idOrPrefix.length >= 64) return undefined;
    const matches = this.objects.startingWith(idOrPrefix);
    if (matches.length > 1) {
      throw new BerthError("InvalidArgument", `several ${this.kind}s have an ID that starts with "${idOrPrefix}"`);
    }
    return matches[0];
  }

  /** Throws NotFound where there is none. */
  get(idOrPrefix: string): T {
    const found = this.find(idOrPrefix);
    if (!found) throw new BerthError("NotFound", `${this.kind} "${idOrPrefix.slice(0, 100)}" not found`);
    return found;
  }
}
