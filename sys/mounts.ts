import fs from "node:fs";
import path from "node:path";
import { check, declare, declareSyscall, errnoOf, withFd } from "./libc";

const mount = declare(
  "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
);
const umount2 = declare("int umount2(const char *target, int flags)");
// numbers of the system calls are the same on every 64-bit architecture that Linux has had since 5.1
const fsopen = declareSyscall(430, "str, uint");
const fsconfig = declareSyscall(431, "int, uint, str, str, int");
const fsmount = declareSyscall(432, "int, uint, uint");
const moveMount = declareSyscall(429, "int, str, int, str, uint");

const AT_FDCWD = -100;
const CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
const MS_REMOUNT = 32;
const MS_BIND = 4096;
const MS_REC = 16384;
const MS_PRIVATE = 1 << 18;
const MNT_DETACH = 2;

export interface OverlayMount {
  /** Topmost first. */
  lower: string[];
  /** Both or neither; without them the mount is read-only. */
  upper?: string;
  work?: string;
  target: string;
}

/** Mounting, as the rest of the project sees it; `RecordingMounts` stands in for it in unit tests. */
export interface Mounts {
  overlay(overlay: OverlayMount): void;
  tmpfs(target: string, options: { sizeBytes?: number; mode?: number; flags?: number }): void;
  bind(source: string, target: string, options?: { readonly?: boolean; recursive?: boolean }): void;
  /** Detaches what is mounted at `target`; does nothing where nothing is. */
  unmount(target: string): void;
}

export class HostMounts implements Mounts {
  overlay({ lower, upper, work, target }: OverlayMount): void {
    // one layer alone cannot be an overlay without an upper directory
    if (lower.length === 1 && !upper) {
      this.bind(lower[0]!, target, { readonly: true });
      return;
    }
    try {
      withFd(check(fsopen("overlay", CLOEXEC), "fsopen", "overlay"), (fd) => {
        const set = (key: string, value: string) =>
          check(fsconfig(fd, FSCONFIG_SET_STRING, key, value, 0), "fsconfig", `${key}=${value}`);
        for (const directory of lower) set("lowerdir+", directory);
        if (upper) set("upperdir", upper);
        if (work) set("workdir", work);
        check(fsconfig(fd, FSCONFIG_CMD_CREATE, null, null, 0), "fsconfig", `overlay for ${target}`);
        withFd(check(fsmount(fd, CLOEXEC, 0), "fsmount", target), (mounted) =>
          check(moveMount(mounted, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), "move_mount", target),
        );
      });
    } catch (error) {
      // lowerdir+ came with Linux 6.5
      if (errnoOf(error) !== "EINVAL" && errnoOf(error) !== "ENOSYS") throw error;
      this.overlayByMount2({ lower, upper, work, target });
    }
  }

  /** mount(2) takes one page of options, so the layers go by short links where they would not fit. */
  private overlayByMount2({ lower, upper, work, target }: OverlayMount): void {
    const text = (layers: string[]) =>
      [
        `lowerdir=${layers.join(":")}`,
        ...(upper ? [`upperdir=${upper}`] : []),
        ...(work ? [`workdir=${work}`] : []),
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

  tmpfs(target: string, options: { sizeBytes?: number; mode?: number; flags?: number }): void {
    const data = [
      ...(options.sizeBytes === undefined ? [] : [`size=${options.sizeBytes}`]),
      ...(options.mode === undefined ? [] : [`mode=${options.mode.toString(8)}`]),
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

/** Keeps `directory` from spreading what is mounted below it to other mount namespaces: it becomes a private mount. */
export function makePrivateMount(directory: string): void {
  check(mount(directory, directory, null, MS_BIND, null), "mount", directory);
  check(mount(null, directory, null, MS_PRIVATE, null), "mount", `${directory} private`);
}

/** Writes down what would have been mounted. */
export class RecordingMounts implements Mounts {
  readonly calls: string[] = [];
  overlay(overlay: OverlayMount): void {
    this.calls.push(`overlay ${overlay.target} lower=${overlay.lower.join(":")} upper=${overlay.upper ?? ""}`);
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
