import { BerthError } from "../../api/errors";

/**
 * Names that are taken. A creation that is asked for again, with the same request, while it is under way or after its
 * client has given up waiting, joins the first one; the kubelet would otherwise be told "name is reserved" for ever.
 */
export class Reservations<Id> {
  private readonly held = new Map<string, { fingerprint: string; result: Promise<Id> }>();

  /** Runs `create` under `name`, or joins who does. Throws AlreadyExists where another request holds the name. */
  reserve(name: string, fingerprint: string, create: () => Promise<Id>): Promise<Id> {
    const holder = this.held.get(name);
    if (holder) {
      if (holder.fingerprint === fingerprint) return holder.result;
      return Promise.reject(new BerthError("AlreadyExists", `the name "${name}" is reserved by another configuration`));
    }
    const result = create();
    this.held.set(name, { fingerprint, result });
    result.catch(() => this.release(name));
    return result;
  }

  /** Takes `name` for what was found at start. */
  hold(name: string, fingerprint: string, id: Id): void {
    this.held.set(name, { fingerprint, result: Promise.resolve(id) });
  }

  release(name: string): void {
    this.held.delete(name);
  }
}
