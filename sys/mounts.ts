import fs from "node:fs";
import path from "node:path";
import { attachMount, openIdMapped } from "./id-mapped-tree";
import { check, declare, declareSyscall, errnoOf, withFd } from "./libc";

const mount = declare(
  "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
);
const umount2 = declare("int umount2(const char *target, int flags)");
// numbers of the system calls are the same on every 64-bit architecture that Linux has had since 5.1
const fsopen = declareSyscall(430, "str, uint");
const fsconfig = declareSyscall(431, "int, uint, str, str, int");
const fsmount = declareSyscall(432, "int, uint, uint");

const CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_SET_FD = 5;
const FSCONFIG_CMD_CREATE = 6;
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
const MS_REMOUNT = 32;
const MS_BIND = 4096;
const MS_REC = 16384;
const MNT_DETACH = 2;

export interface OverlayMount {
  /** Topmost first. */
  lower: string[];
  /** Both or neither; without them the mount is read-only. */
  upper?: string;
  work?: string;
  target: string;
  /** A file that holds a user namespace: owners in `lower` are those that it makes of them, `upper` is as it is. */
  userNamespace?: string;
  /** The SELinux label of all that is in it. */
  label?: string;
  /**
   * Nothing need outlive a crash of the machine: fsync(2) inside does nothing, and to unmount it does not write out all of the
   * disk that `upper` lies on, which can take seconds (Linux 5.10; filesystems/overlayfs.rst, "Volatile mount"). It can't
   * be mounted a second time.
   */
  volatile?: boolean;
}

export interface TmpfsOptions {
  sizeBytes?: number;
  mode?: number;
  /** The owner of its root. */
  owner?: { uid: number; gid: number };
  flags?: number;
}

/** Mounting, as the rest of the project sees it; `RecordingMounts` stands in for it in unit tests. */
export interface Mounts {
  overlay(overlay: OverlayMount): void;
  tmpfs(target: string, options: TmpfsOptions): void;
  bind(source: string, target: string, options?: { readonly?: boolean; recursive?: boolean }): void;
  /** Detaches what is mounted at `target`; does nothing where nothing is. */
  unmount(target: string): void;
}

export class HostMounts implements Mounts {
  overlay(overlay: OverlayMount): void {
    const { lower, upper, target, userNamespace } = overlay;
    // one layer alone cannot be an overlay without an upper directory
    if (lower.length === 1 && !upper) {
      if (userNamespace)
        withFd(openIdMapped(lower[0]!, userNamespace, { readonly: true }), (fd) => attachMount(fd, target));
      else this.bind(lower[0]!, target, { readonly: true });
      return;
    }
    if (!userNamespace) {
      this.overlayOf(overlay);
      return;
    }
    const trees: number[] = [];
    try {
      for (const directory of lower) trees.push(openIdMapped(directory, userNamespace));
      this.overlayOfTrees(overlay, trees);
    } finally {
      for (const tree of trees) fs.closeSync(tree);
    }
  }

  /** Of layers by their paths. */
  private overlayOf(overlay: OverlayMount): void {
    try {
      mountOverlay(overlay, (fd) => {
        for (const directory of overlay.lower) setString(fd, "lowerdir+", directory);
      });
    } catch (error) {
      // lowerdir+ came with Linux 6.5
      if (errnoOf(error) !== "EINVAL" && errnoOf(error) !== "ENOSYS") throw error;
      this.overlayByMount2(overlay);
    }
  }

  /** Of layers by descriptors of mounts that are attached nowhere. */
  private overlayOfTrees(overlay: OverlayMount, trees: number[]): void {
    try {
      mountOverlay(overlay, (fd) => {
        for (const tree of trees)
          check(fsconfig(fd, FSCONFIG_SET_FD, "lowerdir+", null, tree), "fsconfig", "lowerdir+ by descriptor");
      });
    } catch (error) {
      // layers by descriptor came with Linux 6.13; before, an overlay takes them only from where they are attached, and
      // the kernel knows no parameter by the descriptor of a path
      if (errnoOf(error) !== "EINVAL" && errnoOf(error) !== "EBADF") throw error;
      this.overlayOfAttached(overlay, trees);
    }
  }

  private overlayOfAttached(overlay: OverlayMount, trees: number[]): void {
    const directory = fs.mkdtempSync("/tmp/l");
    const attached: string[] = [];
    try {
      for (const [index, tree] of trees.entries()) {
        const place = path.join(directory, index.toString(36));
        fs.mkdirSync(place);
        attachMount(tree, place);
        attached.push(place);
      }
      // the overlay has clones of its own by the time they are detached
      this.overlayOf({ ...overlay, lower: attached });
    } finally {
      for (const place of attached) this.unmount(place);
      // not recursively: should a layer still be there, it must stay whole
      for (const name of fs.readdirSync(directory)) fs.rmdirSync(path.join(directory, name));
      fs.rmdirSync(directory);
    }
  }

  /** mount(2) takes one page of options, so the layers go by short links where they would not fit. */
  private overlayByMount2({ lower, upper, work, target, label, volatile }: OverlayMount): void {
    const text = (layers: string[]) =>
      [
        `lowerdir=${layers.join(":")}`,
        ...(upper ? [`upperdir=${upper}`] : []),
        ...(work ? [`workdir=${work}`] : []),
        ...(volatile ? ["volatile"] : []),
        // a label has commas of its own
        ...(label ? [`context="${label}"`] : []),
      ].join(",");
    if (Buffer.byteLength(text(lower)) < 4000) {
      check(mount("overlay", target, "overlay", 0, text(lower)), "mount", `overlay on ${target}`);
      return;
    }
    const links = fs.mkdtempSync("/tmp/l");
    try {
      const short = lower.map((directory, index) => {
        const link = path.join(links, index.toString(36));
        fs.symlinkSync(directory, link);
        return link;
      });
      check(mount("overlay", target, "overlay", 0, text(short)), "mount", `overlay on ${target}`);
    } finally {
      fs.rmSync(links, { recursive: true });
    }
  }

  tmpfs(target: string, options: TmpfsOptions): void {
    const data = [
      ...(options.sizeBytes === undefined ? [] : [`size=${options.sizeBytes}`]),
      ...(options.mode === undefined ? [] : [`mode=${options.mode.toString(8)}`]),
      ...(options.owner === undefined ? [] : [`uid=${options.owner.uid}`, `gid=${options.owner.gid}`]),
    ].join(",");
    check(mount("tmpfs", target, "tmpfs", options.flags ?? 0, data), "mount", `tmpfs on ${target}`);
  }

  bind(source: string, target: string, options: { readonly?: boolean; recursive?: boolean } = {}): void {
    const recursive = options.recursive ? MS_REC : 0;
    check(mount(source, target, null, MS_BIND | recursive, null), "mount", `${source} on ${target}`);
    if (options.readonly) {
      try {
        check(mount(null, target, null, MS_REMOUNT | MS_BIND | MS_RDONLY, null), "mount", `${target} read-only`);
      } catch (error) {
        this.unmount(target);
        throw error;
      }
    }
  }

  unmount(target: string): void {
    try {
      check(umount2(target, MNT_DETACH), "umount", target);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== "EINVAL" && errno !== "ENOENT") throw error;
    }
  }
}

function setString(fd: number, key: string, value: string): void {
  check(fsconfig(fd, FSCONFIG_SET_STRING, key, value, 0), "fsconfig", `${key}=${value}`);
}

/** Makes an overlay whose layers `setLower` names, and mounts it. */
function mountOverlay({ upper, work, target, label, volatile }: OverlayMount, setLower: (fd: number) => void): void {
  withFd(check(fsopen("overlay", CLOEXEC), "fsopen", "overlay"), (fd) => {
    setLower(fd);
    if (upper) setString(fd, "upperdir", upper);
    if (work) setString(fd, "workdir", work);
    if (label) setString(fd, "context", label);
    if (volatile) check(fsconfig(fd, FSCONFIG_SET_FLAG, "volatile", null, 0), "fsconfig", "volatile");
    check(fsconfig(fd, FSCONFIG_CMD_CREATE, null, null, 0), "fsconfig", `overlay for ${target}`);
    withFd(check(fsmount(fd, CLOEXEC, 0), "fsmount", target), (mounted) => attachMount(mounted, target));
  });
}

/** Writes down what would have been mounted. */
export class RecordingMounts implements Mounts {
  readonly calls: string[] = [];
  overlay(overlay: OverlayMount): void {
    const { target, lower, upper = "", userNamespace, label, volatile } = overlay;
    const mapped = userNamespace ? ` mapped by ${userNamespace}` : "";
    const more = `${mapped}${label ? ` labelled ${label}` : ""}${volatile ? " volatile" : ""}`;
    this.calls.push(`overlay ${target} lower=${lower.join(":")} upper=${upper}${more}`);
  }
  tmpfs(target: string): void {
    this.calls.push(`tmpfs ${target}`);
  }
  bind(source: string, target: string, options: { readonly?: boolean } = {}): void {
    this.calls.push(`bind ${source} ${target}${options.readonly ? " ro" : ""}`);
  }
  unmount(target: string): void {
    this.calls.push(`unmount ${target}`);
  }
}
