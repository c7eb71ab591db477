import fs from "node:fs";
import path from "node:path";
import { BerthError } from "../api/errors";
import type { UserNamespace } from "./id-mapping";
import { check, declare, errnoOf, withFd } from "./libc";
import { MountChanges } from "./mount-changes";
import { FirstOfTurn } from "./first-of-turn";
import { inNewUserNamespace, writeSysctlsInside } from "./user-namespace";

const unshare = declare("int unshare(int flags)");
const setns = declare("int setns(int fd, int type)");
const mount = declare(
  "int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)",
);
const umount2 = declare("int umount2(const char *target, int flags)");
const socket = declare("int socket(int domain, int type, int protocol)");
const ioctl = declare("int ioctl(int fd, unsigned long request, void *argument)");
const sethostname = declare("int sethostname(const char *name, size_t length)");

/** All that a pod can have pinned. */
export const namespaceTypes = ["net", "ipc", "uts", "pid", "user"] as const;
export type NamespaceType = (typeof namespaceTypes)[number];

const cloneFlags: Record<NamespaceType, number> = {
  net: 0x40000000,
  ipc: 0x08000000,
  uts: 0x04000000,
  pid: 0x20000000,
  user: 0x10000000,
};
const MS_BIND = 4096;
const MNT_DETACH = 2;

export interface PinRequest {
  /** An existing directory; each namespace becomes a file in it, named by its type. */
  directory: string;
  types: Exclude<NamespaceType, "pid" | "user">[];
  hostname?: string;
  /** Files below /proc/sys, written inside the new namespaces. */
  sysctls?: { file: string; value: string }[];
}

export interface PinInUserRequest extends PinRequest, Pick<UserNamespace, "uids" | "gids"> {
  types: ["net", "ipc", "uts"];
}

/** Making and entering namespaces; `RecordingNamespaces` stands in for it in unit tests. */
export interface Namespaces {
  /**
   * Makes new namespaces that no process lives in, held by bind mounts on files. A new network has its loopback up and
   * takes no IPv6 router advertisements.
   */
  pin(request: PinRequest): void;
  /**
   * The same inside a new user namespace, which owns them and is pinned beside them as `user`. Throws
   * FailedPrecondition where the kernel allows none, InvalidArgument for sysctls that it does not take.
   */
  pinInUser(request: PinInUserRequest): Promise<void>;
  /** Binds a namespace of a process to `file`, so that it outlives a look at /proc. */
  pinOf(pid: number, type: NamespaceType, file: string): void;
  /** Lets go of a file made by pin() or pinOf(); does nothing where it is gone. */
  unpin(file: string): void;
  /** Whether `file` still holds a namespace. */
  isPinned(file: string): boolean;
  /** Runs `work` (synchronous, to its last byte) in the namespace that `file` holds. */
  inside<T>(file: string, type: NamespaceType, work: () => T): T;
}

/**
 * All of it happens on the calling thread between two system calls, with nothing awaited: 1 ms for three namespaces,
 * where unshare(1) takes 7. Should the way back fail, this thread would serve the host from inside a pod, so the
 * process ends there and then; the supervisor starts it anew.
 */
export class HostNamespaces implements Namespaces {
  private readonly mountChanges = new MountChanges();
  /** Files that were seen to be pinned, and nothing was unmounted since. */
  private readonly seenPinned = new Set<string>();
  private readonly turn = new FirstOfTurn();

  pin({ directory, types, hostname, sysctls }: PinRequest): void {
    const flags = types.reduce((all, type) => all | cloneFlags[type], 0);
    const pinned: string[] = [];
    try {
      away(types, () => {
        check(unshare(flags), "unshare");
        if (types.includes("uts") && hostname) setHostname(hostname);
        if (types.includes("net")) setUpNetwork();
        for (const sysctl of sysctls ?? []) writeSysctl(sysctl);
        for (const type of types) {
          const file = path.join(directory, type);
          pinned.push(file);
          bindNamespace(`/proc/thread-self/ns/${type}`, file);
        }
      });
    } catch (error) {
      for (const file of pinned) this.unpin(file);
      throw error;
    }
  }

  async pinInUser({ directory, types, hostname, sysctls, uids, gids }: PinInUserRequest): Promise<void> {
    const fileOf = (type: NamespaceType) => path.join(directory, type);
    try {
      await inNewUserNamespace({ types, uids, gids }, (pid) => {
        for (const type of ["user", ...types] as const) bindNamespace(`/proc/${pid}/ns/${type}`, fileOf(type));
      });
      if (hostname) this.inside(fileOf("uts"), "uts", () => setHostname(hostname));
      this.inside(fileOf("net"), "net", setUpNetwork);
      const files = { user: fileOf("user"), net: fileOf("net"), ipc: fileOf("ipc") };
      await writeSysctlsInside(files, sysctls ?? []);
    } catch (error) {
      for (const type of ["user", ...types] as const) this.unpin(fileOf(type));
      throw error;
    }
  }

  pinOf(pid: number, type: NamespaceType, file: string): void {
    try {
      bindNamespace(`/proc/${pid}/ns/${type}`, file);
    } catch (error) {
      this.unpin(file);
      throw error;
    }
  }

  unpin(file: string): void {
    this.seenPinned.delete(file);
    try {
      check(umount2(file, MNT_DETACH), "umount", file);
    } catch (error) {
      if (errnoOf(error) !== "EINVAL" && errnoOf(error) !== "ENOENT") throw error;
    }
    fs.rmSync(file, { force: true });
  }

  isPinned(file: string): boolean {
    this.forgetIfChanged();
    if (this.seenPinned.has(file)) return true;
    try {
      // NSFS_MAGIC; a file whose mount is gone lies on another filesystem
      const isPinned = fs.statfsSync(file).type === 0x6e736673;
      if (isPinned) this.seenPinned.add(file);
      return isPinned;
    } catch {
      return false;
    }
  }

  private forgetIfChanged(): void {
    if (this.turn.isFirst() && this.mountChanges.haveHappened()) this.seenPinned.clear();
  }

  inside<T>(file: string, type: NamespaceType, work: () => T): T {
    return withFd(fs.openSync(file, "r"), (fd) =>
      away([type], () => {
        check(setns(fd, cloneFlags[type]), "setns", file);
        return work();
      }),
    );
  }
}

/** Runs `work`, which may change this thread's namespaces of `types`, and comes back. */
function away<T>(types: NamespaceType[], work: () => T): T {
  const home: number[] = [];
  try {
    for (const type of types) home.push(fs.openSync(`/proc/thread-self/ns/${type}`, "r"));
  } catch (error) {
    for (const fd of home) fs.closeSync(fd);
    throw error;
  }
  try {
    return work();
  } finally {
    types.forEach((type, index) => {
      try {
        check(setns(home[index]!, cloneFlags[type]), "setns", `back to the host's ${type} namespace`);
      } catch (error) {
        process.stderr.write(`${error}\n`);
        process.abort();
      }
      fs.closeSync(home[index]!);
    });
  }
}

function bindNamespace(source: string, file: string): void {
  fs.closeSync(fs.openSync(file, "wx", 0o444));
  check(mount(source, file, null, MS_BIND, null), "mount", `${source} on ${file}`);
}

function writeSysctl({ file, value }: { file: string; value: string }): void {
  try {
    fs.writeFileSync(path.join("/proc/sys", file), value);
  } catch (cause) {
    // there is none of that name, or it does not take the value
    throw new BerthError("InvalidArgument", `the sysctl ${file} can't be set: ${errnoOf(cause)}`, { cause });
  }
}

function setHostname(hostname: string): void {
  check(sethostname(hostname, Buffer.byteLength(hostname)), "sethostname");
}

function setUpNetwork(): void {
  const AF_INET = 2;
  const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
  const SIOCGIFFLAGS = 0x8913;
  const SIOCSIFFLAGS = 0x8914;
  const IFF_UP = 1;
  withFd(check(socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), "socket"), (fd) => {
    const request = Buffer.alloc(40);
    request.write("lo");
    check(ioctl(fd, SIOCGIFFLAGS, request), "ioctl", "flags of lo");
    request.writeInt16LE(request.readInt16LE(16) | IFF_UP, 16);
    check(ioctl(fd, SIOCSIFFLAGS, request), "ioctl", "lo up");
  });
  // a pod must not take its routes from another pod (CVE-2020-10749)
  try {
    fs.writeFileSync("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
  } catch {
    // no IPv6 here
  }
}

/** Writes down what would have been done; namespaces are files with nothing in them. */
export class RecordingNamespaces implements Namespaces {
  readonly calls: string[] = [];
  private readonly pinned = new Set<string>();
  pin({ directory, types }: PinRequest): void {
    for (const type of types) this.pinned.add(path.join(directory, type));
    this.calls.push(`pin ${types.join(",")} in ${directory}`);
  }
  async pinInUser({ directory, types }: PinInUserRequest): Promise<void> {
    for (const type of ["user", ...types]) this.pinned.add(path.join(directory, type));
    this.calls.push(`pin user,${types.join(",")} in ${directory}`);
  }
  pinOf(pid: number, type: NamespaceType, file: string): void {
    this.pinned.add(file);
    this.calls.push(`pin ${type} of ${pid} at ${file}`);
  }
  unpin(file: string): void {
    this.pinned.delete(file);
    this.calls.push(`unpin ${file}`);
  }
  isPinned(file: string): boolean {
    return this.pinned.has(file);
  }
  inside<T>(file: string, _type: NamespaceType, work: () => T): T {
    this.calls.push(`inside ${file}`);
    return work();
  }
}
