import fs from "node:fs";
import { BerthError } from "../../api/errors";
import { makeDeviceNode, makeWhiteout } from "../../sys/device-node";
import { setFileTimes, setOpenFileTimes } from "../../sys/file-times";
import { errnoOf } from "../../sys/libc";
import { baseOf, isWhiteout, joined, parentOf } from "./byte-path";
import { type ApplyMode, type Directories, NeedsParents } from "./directories";
import { clearXattrs, setXattrs } from "./set-xattrs";
import { shown, type TarEntry, type TarSink } from "./tar-entry";
import { whiteoutOf } from "./whiteout";

/** What came of a layer. Paths are byte strings relative to the tree. */
export interface Applied {
  /** Directories without an entry: they are to look as they do in the layers below. */
  implicit: string[];
  /** Marks of what is gone; those that hide nothing are to be removed, as they would show. */
  whiteouts: string[];
  /** Space taken, in whole blocks of the file system. */
  sizeBytes: number;
  inodes: number;
}

const pageBytes = 4096;
const newFile = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW;

/**
 * Writes a layer's entries into the tree at `root` as the OCI image spec says (layer.md, Applying Changesets): later
 * entries win, a directory over a directory keeps its children. Synchronous; meant for a thread whose root is the tree,
 * with `root` "". Whiteouts of a merged tree are removed by WhiteoutRemover in a pass before this one. Throws
 * InvalidArgument where the layer makes no sense, and NeedsParents in mode `alone`.
 */
export class LayerWriter implements TarSink {
  private fd = -1;
  private file: TarEntry | undefined;
  private filePath = "";
  private fileBytes = 0;
  private writtenEnd = 0;
  private sizeBytes = 0;
  private inodes = 0;

  constructor(
    private readonly directories: Directories,
    private readonly mode: ApplyMode,
  ) {}

  entry(entry: TarEntry): void {
    this.file = undefined;
    const whiteout = whiteoutOf(entry);
    if (whiteout.kind !== "none") {
      if (this.mode !== "alone") return;
      if (whiteout.kind === "remove") this.markRemoved(whiteout.path);
      if (whiteout.kind === "opaque") this.directories.setOpaque(this.directories.resolve(whiteout.path));
      return;
    }
    if (entry.path === "") {
      if (entry.type !== "directory") throw new BerthError("InvalidArgument", `the layer's root is a ${entry.type}`);
      this.describeDirectory("", entry);
      return;
    }
    const directory = this.directories.resolve(parentOf(entry.path));
    const path = joined(directory, baseOf(entry.path));
    this.directories.touch(directory);
    if (entry.type === "directory") this.makeDirectory(path, entry);
    else if (entry.type === "file") this.openFile(path, entry);
    else if (entry.type === "hardlink") this.makeHardLink(path, entry);
    else this.makeNode(path, entry);
  }

  data(bytes: Buffer, offsetBytes: number): void {
    if (!this.file) return;
    let done = 0;
    while (done < bytes.length) {
      done += fs.writeSync(this.fd, bytes, done, bytes.length - done, offsetBytes + done);
    }
    this.fileBytes += bytes.length;
    this.writtenEnd = offsetBytes + bytes.length;
  }

  fileEnd(): void {
    const entry = this.file;
    if (!entry) return;
    const { fd } = this;
    // a hole at the end
    if (this.writtenEnd < entry.sizeBytes) fs.ftruncateSync(fd, entry.sizeBytes);
    // a change of owner takes away setuid and capabilities, so it comes first
    fs.fchownSync(fd, entry.uid, entry.gid);
    fs.fchmodSync(fd, entry.mode);
    if (entry.xattrs) setXattrs(this.directories.atSys(this.filePath), entry.xattrs);
    setOpenFileTimes(fd, entry.modifiedNs);
    this.close();
    this.sizeBytes += Math.ceil(this.fileBytes / pageBytes) * pageBytes;
  }

  /** Sets what waits for the end of the layer. */
  finish(): Applied {
    const { implicit } = this.directories.finish();
    return {
      implicit,
      whiteouts: [...this.directories.whiteouts],
      sizeBytes: this.sizeBytes + (this.directories.made + 1) * pageBytes,
      inodes: this.inodes + this.directories.made + 1,
    };
  }

  /** Gives back what an archive that ended early holds open. */
  close(): void {
    if (this.fd >= 0) fs.closeSync(this.fd);
    this.fd = -1;
    this.file = undefined;
  }

  /** Hides `path` of the layers below; what this layer has there itself stays. */
  private markRemoved(name: string): void {
    const directory = this.directories.resolve(parentOf(name));
    const path = joined(directory, baseOf(name));
    const stats = fs.lstatSync(this.directories.at(path), { throwIfNoEntry: false });
    if (stats?.isDirectory()) this.directories.setFresh(path);
    if (stats) return;
    this.directories.touch(directory);
    makeWhiteout(this.directories.atSys(path));
    this.directories.whiteouts.add(path);
    this.inodes++;
  }

  private makeDirectory(path: string, entry: TarEntry): void {
    const stats = fs.lstatSync(this.directories.at(path), { throwIfNoEntry: false });
    if (!stats?.isDirectory()) {
      if (stats && !isWhiteout(stats)) this.directories.remove(path);
      this.directories.make(path, { implicit: false, fresh: stats !== undefined });
    } else if (this.mode === "merged") {
      // one of a layer below, perhaps: the entry says all that it has
      this.directories.find(path);
      clearXattrs(this.directories.atSys(path));
    }
    this.describeDirectory(path, entry);
  }

  private describeDirectory(path: string, entry: TarEntry): void {
    fs.chownSync(this.directories.at(path), entry.uid, entry.gid);
    fs.chmodSync(this.directories.at(path), entry.mode);
    this.directories.describe(path, entry.modifiedNs, entry.xattrs);
  }

  private openFile(path: string, entry: TarEntry): void {
    this.inPlaceOf(path, () => {
      this.fd = fs.openSync(this.directories.at(path), newFile, 0o600);
    });
    this.file = entry;
    this.filePath = path;
    this.fileBytes = 0;
    this.writtenEnd = 0;
    this.inodes++;
  }

  private makeHardLink(path: string, entry: TarEntry): void {
    const directory = entry.link === "" ? undefined : this.directories.find(parentOf(entry.link));
    const target = directory === undefined ? undefined : joined(directory, baseOf(entry.link));
    const stats =
      target === undefined ? undefined : fs.lstatSync(this.directories.at(target), { throwIfNoEntry: false });
    if (target === undefined || !stats) {
      if (this.mode === "alone") throw new NeedsParents(`${shown(path)} is a link to a file of a layer below`);
      throw new BerthError("InvalidArgument", `the hard link ${shown(path)} leads to ${shown(entry.link)}: not there`);
    }
    if (stats.isDirectory() || isWhiteout(stats)) {
      throw new BerthError("InvalidArgument", `the hard link ${shown(path)} leads to ${shown(entry.link)}: no file`);
    }
    if (target === path) return;
    if (target.startsWith(`${path}/`)) {
      throw new BerthError("InvalidArgument", `the hard link ${shown(path)} would replace a directory of its own file`);
    }
    this.inPlaceOf(path, () => fs.linkSync(this.directories.at(target), this.directories.at(path)));
  }

  private makeNode(path: string, entry: TarEntry): void {
    const { directories } = this;
    if (entry.type === "symlink") {
      const target = Buffer.from(entry.link, "latin1");
      this.inPlaceOf(path, () => fs.symlinkSync(target, directories.at(path)));
    } else {
      const type = entry.type === "fifo" ? "fifo" : entry.type === "block" ? "block" : "character";
      const device = { type, major: entry.deviceMajor, minor: entry.deviceMinor } as const;
      this.inPlaceOf(path, () => makeDeviceNode(directories.atSys(path), device));
    }
    fs.lchownSync(directories.at(path), entry.uid, entry.gid);
    if (entry.type !== "symlink") fs.chmodSync(directories.at(path), entry.mode);
    if (entry.xattrs) setXattrs(directories.atSys(path), entry.xattrs);
    setFileTimes(directories.atSys(path), entry.modifiedNs);
    this.inodes++;
  }

  /** Makes something at `path`, after removing what is there: trying first is cheaper than looking first. */
  private inPlaceOf(path: string, make: () => void): void {
    try {
      make();
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      this.directories.remove(path);
      make();
    }
  }
}

/** The first pass over a layer of a merged tree: removes what its whiteouts name, and nothing else. */
export class WhiteoutRemover implements TarSink {
  constructor(private readonly directories: Directories) {}

  entry(entry: TarEntry): void {
    const whiteout = whiteoutOf(entry);
    if (whiteout.kind === "remove") {
      const directory = this.directories.find(parentOf(whiteout.path));
      if (directory !== undefined) this.directories.remove(joined(directory, baseOf(whiteout.path)));
    } else if (whiteout.kind === "opaque") {
      const directory = this.directories.find(whiteout.path);
      if (directory === undefined) return;
      for (const name of fs.readdirSync(this.directories.at(directory), { encoding: "latin1" })) {
        this.directories.remove(joined(directory, name));
      }
    }
  }

  data(): void {}
  fileEnd(): void {}
}
