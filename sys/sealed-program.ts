import fs from "node:fs";
import { check, declare } from "./libc";

const memfdCreate = declare("int memfd_create(const char *name, unsigned int flags)");
const fcntl = declare("int fcntl(int fd, int command, int argument)");

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** From Linux 6.3 on, where a sysctl may else take the right to be run away. */
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
/** SEAL, SHRINK, GROW and WRITE. */
const ALL_SEALS = 0xf;
const elfMagic = 0x464c457f;
/** Who was given the path of a copy has started it by then. */
const replacedMs = 60_000;

/**
 * A program that is run often, from a copy in memory that nobody can change (memfd_create(2)). OCI runtimes make such a
 * copy of themselves at each call, so that no container can write to the host's program by way of /proc/PID/exe
 * (CVE-2019-5736); they find that they are one already, and save 2 ms and more.
 */
export class SealedProgram {
  private copy: { fd: number | undefined; stamp: string } | undefined;

  constructor(private readonly file: string) {}

  /**
   * Where to run it from, good for a minute and while this process lives. It is the file itself where there is no such
   * copy: of a script, under SELinux, which tells programs by their file, or for lack of descriptors or memory.
   */
  path(): string {
    try {
      // an upgrade replaces the file
      const { dev, ino, size, mtimeNs, ctimeNs } = fs.statSync(this.file, { bigint: true });
      const stamp = [dev, ino, size, mtimeNs, ctimeNs].join();
      if (this.copy?.stamp !== stamp) {
        const replaced = this.copy?.fd;
        this.copy = { fd: sealedCopy(this.file), stamp };
        if (replaced !== undefined) setTimeout(() => fs.closeSync(replaced), replacedMs).unref();
      }
      return this.copy.fd === undefined ? this.file : `/proc/${process.pid}/fd/${this.copy.fd}`;
    } catch {
      return this.file;
    }
  }
}

/** The descriptor of a copy; undefined where there is never to be one. Throws where there can be none for now. */
function sealedCopy(file: string): number | undefined {
  if (fs.existsSync("/sys/fs/selinux/enforce")) return undefined;
  const bytes = fs.readFileSync(file);
  if (bytes.length < 4 || bytes.readUInt32LE(0) !== elfMagic) return undefined;
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const withExec = Number(memfdCreate(file, flags | MFD_EXEC));
  const fd = withExec >= 0 ? withExec : check(memfdCreate(file, flags), "memfd_create");
  try {
    for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
    fs.fchmodSync(fd, 0o555);
    check(fcntl(fd, F_ADD_SEALS, ALL_SEALS), "fcntl", "F_ADD_SEALS");
    return fd;
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}
