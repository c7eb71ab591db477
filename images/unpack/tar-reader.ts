import { BerthError } from "../../api/errors";
import { cleanPath, longestPathBytes, shown, type TarEntry, type TarEntryType, type TarSink } from "./tar-entry";
import { blockBytes, damagedTar, isZeroBlock, numberField, parseTarHeader, type TarHeader } from "./tar-header";
import { largestPaxBytes, type PaxRecord, parsePaxRecords, paxNumber, paxTime, paxXattrs } from "./tar-pax";
import { checkPieces, mostPieces, readGnuPieces, readPaxSparse, type SparsePiece, SparseMapInData } from "./tar-sparse";

const entryTypes: Record<string, TarEntryType> = {
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  "7": "file",
  // GNU: a sparse file; a directory with the names in it
  S: "file",
  D: "directory",
};
const largestId = 0xffff_fffe;
// as the kernel keeps them: what is more would be cut off, and could become the 0/0 of a whiteout
const mostMajors = 2 ** 12;
const mostMinors = 2 ** 20;

type State = "header" | "body" | "file" | "skip" | "gnu map" | "map in data" | "end";

/**
 * Reads a tar archive that is pushed to it in pieces of any size: ustar, GNU and PAX, sparse files of every kind.
 * Memory is bounded: of an archive it holds one extended header or sparse map at a time. Throws InvalidArgument where
 * the archive is damaged, ResourceExhausted where it has more than `mostEntries` entries.
 */
export class TarReader {
  private state: State = "header";
  private readonly block = Buffer.alloc(blockBytes);
  private blockFill = 0;
  /** Bytes of the present body, file or skip still to come, and the padding after them. */
  private rest = 0;
  private padding = 0;
  private body: Buffer[] = [];
  private takeBody: (body: Buffer) => void = () => {};
  private pax: PaxRecord[] = [];
  private globalPax: PaxRecord[] = [];
  private longName: string | undefined;
  private longLink: string | undefined;
  private zeroBlocks = 0;
  private entries = 0;
  private current = "the first header";
  private sparse: { entry: TarEntry; pieces: SparsePiece[]; storedBytes: number } | undefined;
  private mapInData = new SparseMapInData();
  /** Pieces of the present file that are still to come; a plain file is one. */
  private pieces: SparsePiece[] = [];
  private piece = 0;
  private pieceDone = 0;

  constructor(
    private readonly sink: TarSink,
    private readonly mostEntries: number,
  ) {}

  /** Takes the next bytes; calls the sink for all that they complete. */
  write(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.state === "end") return;
      if (this.state === "file") at += this.takeData(bytes, at);
      else if (this.state === "skip") {
        const count = Math.min(this.rest, bytes.length - at);
        at += count;
        this.rest -= count;
        if (this.rest === 0) this.state = "header";
      } else if (this.state === "body") {
        const count = Math.min(this.rest, bytes.length - at);
        this.body.push(Buffer.from(bytes.subarray(at, at + count)));
        at += count;
        this.rest -= count;
        if (this.rest === 0) this.endBody();
      } else {
        const count = Math.min(blockBytes - this.blockFill, bytes.length - at);
        if (count === blockBytes) this.takeBlock(bytes.subarray(at, at + blockBytes));
        else {
          bytes.copy(this.block, this.blockFill, at, at + count);
          this.blockFill += count;
          if (this.blockFill === blockBytes) {
            this.blockFill = 0;
            this.takeBlock(this.block);
          }
        }
        at += count;
      }
    }
  }

  /** The archive has no more bytes. Throws InvalidArgument where it stops in the middle; zero blocks may be missing. */
  end(): void {
    const between = this.state === "header" && this.blockFill === 0;
    // the padding of the last file is left out by some writers
    const inPadding = this.state === "skip" && this.rest < blockBytes;
    if (this.state !== "end" && !between && !inPadding) throw damagedTar(`it ends in the middle of ${this.current}`);
    if (this.pax.length > 0 || this.longName !== undefined || this.longLink !== undefined) {
      throw damagedTar("it ends after an extended header");
    }
  }

  private takeBlock(block: Buffer): void {
    if (this.state === "gnu map") this.takeGnuMap(block);
    else if (this.state === "map in data") this.takeMapInData(block);
    else this.takeHeader(block);
  }

  private takeHeader(block: Buffer): void {
    if (block[0] === 0 && isZeroBlock(block)) {
      this.zeroBlocks++;
      if (this.zeroBlocks === 2) this.state = "end";
      return;
    }
    if (this.zeroBlocks > 0) throw damagedTar("entries after a block of zeros");
    const header = parseTarHeader(block);
    this.current = shown(header.name);
    const { type, sizeBytes } = header;
    if (type === "x" || type === "X") this.readBody(sizeBytes, (body) => this.pax.push(...parsePaxRecords(body)));
    else if (type === "g") this.readBody(sizeBytes, (body) => this.addGlobals(parsePaxRecords(body)));
    else if (type === "L") this.readBody(sizeBytes, (body) => (this.longName = longText(body)));
    else if (type === "K") this.readBody(sizeBytes, (body) => (this.longLink = longText(body)));
    else if (type === "V") this.skip(sizeBytes);
    else this.takeEntry(header, block);
  }

  private addGlobals(records: PaxRecord[]): void {
    const merged = new Map([...this.globalPax, ...records]);
    this.globalPax = [...merged];
    if (this.globalPax.reduce((sum, [key, value]) => sum + key.length + value.length, 0) > largestPaxBytes) {
      throw damagedTar(`global extended headers of more than ${largestPaxBytes} bytes`);
    }
  }

  private readBody(sizeBytes: number, take: (body: Buffer) => void): void {
    if (sizeBytes > largestPaxBytes) throw damagedTar(`an extended header of ${sizeBytes} bytes`);
    this.takeBody = take;
    this.body = [];
    this.rest = sizeBytes;
    this.padding = paddingOf(sizeBytes);
    this.state = "body";
    if (sizeBytes === 0) this.endBody();
  }

  private endBody(): void {
    this.takeBody(Buffer.concat(this.body));
    this.body = [];
    this.skip(0, this.padding);
  }

  private skip(sizeBytes: number, padding = paddingOf(sizeBytes)): void {
    this.rest = sizeBytes + padding;
    this.state = this.rest > 0 ? "skip" : "header";
  }

  private takeEntry(header: TarHeader, block: Buffer): void {
    this.entries++;
    if (this.entries > this.mostEntries) {
      throw new BerthError("ResourceExhausted", `the layer has more than ${this.mostEntries} entries`);
    }
    let type = entryTypes[header.type];
    if (!type) throw damagedTar(`entry ${shown(header.name)} has the unknown type ${JSON.stringify(header.type)}`);
    const pax = this.pax.length > 0 || this.globalPax.length > 0 ? [...this.globalPax, ...this.pax] : [];
    const fields = applyPax(header, pax, { name: this.longName, link: this.longLink });
    const paxSparse = pax.length > 0 && type === "file" ? readPaxSparse(pax) : undefined;
    const name = paxSparse?.name ?? fields.name;
    this.pax = [];
    this.longName = undefined;
    this.longLink = undefined;
    if (type === "file" && name.endsWith("/")) {
      if (header.type === "S" || paxSparse) throw damagedTar(`${shown(name)} is a sparse file and a directory`);
      type = "directory";
    }
    const path = cleanPath(name);
    this.current = shown(path);
    for (const id of [fields.uid, fields.gid]) {
      if (id < 0 || id > largestId) throw damagedTar(`${shown(path)} has the owner ${id}`);
    }
    const isDevice = type === "character" || type === "block";
    const { deviceMajor, deviceMinor } = header;
    if (isDevice && !(isBelow(deviceMajor, mostMajors) && isBelow(deviceMinor, mostMinors))) {
      throw damagedTar(`${shown(path)} is the device ${deviceMajor}:${deviceMinor}, which cannot be`);
    }
    const isFile = type === "file";
    const entry: TarEntry = {
      type,
      path,
      link: type === "hardlink" ? cleanPath(fields.link) : fields.link,
      mode: header.mode,
      uid: fields.uid,
      gid: fields.gid,
      sizeBytes: isFile ? fields.sizeBytes : 0,
      modifiedNs: fields.modifiedNs,
      deviceMajor,
      deviceMinor,
      xattrs: pax.length > 0 ? paxXattrs(pax) : undefined,
    };
    if (entry.type === "symlink" && (entry.link === "" || entry.link.length > longestPathBytes)) {
      throw damagedTar(`the link ${shown(path)} leads nowhere`);
    }
    const storedBytes = fields.sizeBytes;
    if (header.type === "S") this.startGnuSparse(entry, storedBytes, block);
    else if (paxSparse?.pieces === "in data") {
      entry.sizeBytes = paxSparse.realBytes;
      this.sparse = { entry, pieces: [], storedBytes };
      this.mapInData = new SparseMapInData();
      this.state = "map in data";
    } else if (paxSparse) {
      entry.sizeBytes = paxSparse.realBytes;
      this.startFile(entry, paxSparse.pieces as SparsePiece[], storedBytes);
    } else if (isFile) this.startFile(entry, [{ offsetBytes: 0, lengthBytes: storedBytes }], storedBytes);
    else {
      this.sink.entry(entry);
      // links and devices have no data, whatever size they claim; a directory's can be GNU's list of names
      this.skip(header.type === "D" ? storedBytes : 0);
    }
  }

  private startGnuSparse(entry: TarEntry, storedBytes: number, block: Buffer): void {
    const realBytes = parseRealSize(block);
    entry.sizeBytes = realBytes;
    this.sparse = { entry, pieces: readGnuPieces(block, 386, 4), storedBytes };
    if (block[482]) this.state = "gnu map";
    else this.startSparse();
  }

  private takeGnuMap(block: Buffer): void {
    const sparse = this.sparse!;
    sparse.pieces.push(...readGnuPieces(block, 0, 21));
    if (sparse.pieces.length > mostPieces) throw damagedTar("a sparse file has too many pieces");
    if (!block[504]) this.startSparse();
  }

  private takeMapInData(block: Buffer): void {
    const sparse = this.sparse!;
    sparse.storedBytes -= blockBytes;
    if (sparse.storedBytes < 0) throw damagedTar("a sparse file's map is longer than its data");
    const pieces = this.mapInData.add(block);
    if (!pieces) return;
    sparse.pieces = pieces;
    this.startSparse();
  }

  private startSparse(): void {
    const { entry, pieces, storedBytes } = this.sparse!;
    this.sparse = undefined;
    this.startFile(entry, pieces, storedBytes);
  }

  private startFile(entry: TarEntry, pieces: SparsePiece[], storedBytes: number): void {
    checkPieces(pieces, entry.sizeBytes, storedBytes);
    this.sink.entry(entry);
    this.pieces = pieces;
    this.piece = 0;
    this.pieceDone = 0;
    this.rest = storedBytes;
    this.padding = paddingOf(storedBytes);
    this.state = "file";
    if (storedBytes === 0) this.endFile();
  }

  private takeData(bytes: Buffer, at: number): number {
    let piece = this.pieces[this.piece]!;
    while (this.pieceDone === piece.lengthBytes) {
      piece = this.pieces[++this.piece]!;
      this.pieceDone = 0;
    }
    const count = Math.min(piece.lengthBytes - this.pieceDone, bytes.length - at);
    this.sink.data(bytes.subarray(at, at + count), piece.offsetBytes + this.pieceDone);
    this.pieceDone += count;
    this.rest -= count;
    if (this.rest === 0) this.endFile();
    return count;
  }

  private endFile(): void {
    this.sink.fileEnd();
    this.skip(0, this.padding);
  }
}

const isBelow = (number: number, limit: number) => number >= 0 && number < limit;

const paddingOf = (sizeBytes: number) => (blockBytes - (sizeBytes % blockBytes)) % blockBytes;

/** GNU's long name or link: text that ends at its first NUL. */
function longText(body: Buffer): string {
  const end = body.indexOf(0);
  return body.toString("latin1", 0, end < 0 ? body.length : end);
}

function parseRealSize(block: Buffer): number {
  const size = numberField(block, 483, 12);
  if (size < 0) throw damagedTar("a sparse file has a negative size");
  return size;
}

/** What extended headers override of a header; a GNU long name stands in for the header's short one. */
function applyPax(header: TarHeader, pax: readonly PaxRecord[], long: { name?: string; link?: string }) {
  const fields = {
    name: long.name ?? header.name,
    link: long.link ?? header.link,
    sizeBytes: header.sizeBytes,
    uid: header.uid,
    gid: header.gid,
    modifiedNs: header.modifiedNs,
  };
  for (const [key, value] of pax) {
    // an empty value takes back what a global header said
    if (value.length === 0) continue;
    if (key === "path") fields.name = value.toString("latin1");
    else if (key === "linkpath") fields.link = value.toString("latin1");
    else if (key === "size") fields.sizeBytes = paxNumber(key, value);
    else if (key === "uid") fields.uid = paxNumber(key, value);
    else if (key === "gid") fields.gid = paxNumber(key, value);
    else if (key === "mtime") fields.modifiedNs = paxTime(key, value);
  }
  if (fields.sizeBytes < 0) throw damagedTar(`${shown(fields.name)} has a negative size`);
  return fields;
}
