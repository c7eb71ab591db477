import fs from "node:fs/promises";
import { BerthError } from "../api/errors";

export interface ParsedFilesOptions<T> {
  /** A larger file is refused. */
  limitBytes: number;
  /** The most files that are remembered. */
  maxCached: number;
  parse(text: string, file: string): T;
}

/** Files of the node's that are read when they are wanted, and parsed again only once they have changed. */
export class ParsedFiles<T> {
  private readonly cache = new Map<string, { stamp: string; value: T }>();

  constructor(private readonly options: ParsedFilesOptions<T>) {}

  /** Throws what `parse` throws, the file system's errors, and InvalidArgument for what is no plain, small file. */
  async read(file: string): Promise<T> {
    const { limitBytes, maxCached, parse } = this.options;
    // O_NONBLOCK so that a FIFO is found out instead of waited for
    const handle = await fs.open(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    try {
      const stat = await handle.stat({ bigint: true });
      if (!stat.isFile()) throw bad("it is not a regular file");
      if (stat.size > limitBytes) throw bad(`it has more than ${limitBytes} bytes`);
      const stamp = [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(":");
      const known = this.cache.get(file);
      if (known?.stamp === stamp) return known.value;
      // one byte more than its size tells of a file that grows
      const buffer = Buffer.alloc(Number(stat.size) + 1);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
      if (bytesRead !== Number(stat.size)) throw bad("it changed while it was read");
      const value = parse(buffer.toString("utf8", 0, bytesRead), file);
      if (this.cache.size >= maxCached) this.cache.clear();
      this.cache.set(file, { stamp, value });
      return value;
    } finally {
      await handle.close();
    }
  }
}

const bad = (reason: string) => new BerthError("InvalidArgument", reason);
