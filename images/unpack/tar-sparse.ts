import { damagedTar, numberField } from "./tar-header";
import { type PaxRecord, paxNumber } from "./tar-pax";

/** A stretch of a sparse file that the archive holds; the rest is holes. */
export interface SparsePiece {
  offsetBytes: number;
  lengthBytes: number;
}

/** Maps with more pieces are refused: they are held in memory. */
export const mostPieces = 1_000_000;

/** Reads the pieces of an old GNU header (4) or of one of its extension blocks (21); a zero length may stand last. */
export function readGnuPieces(block: Buffer, at: number, count: number): SparsePiece[] {
  const pieces: SparsePiece[] = [];
  for (let index = 0; index < count; index++) {
    const offset = at + index * 24;
    if (block[offset] === 0 && block[offset + 12] === 0) break;
    pieces.push({ offsetBytes: numberField(block, offset, 12), lengthBytes: numberField(block, offset + 12, 12) });
  }
  return pieces;
}

/** What the `GNU.sparse.*` records of an extended header say (GNU tar manual, PAX 0, PAX 1). */
export interface PaxSparse {
  /** The file's true name, where the header has a made-up one. */
  name?: string;
  realBytes: number;
  /** Version 1.0 has its map at the start of the data instead. */
  pieces: SparsePiece[] | "in data";
}

export function readPaxSparse(records: readonly PaxRecord[]): PaxSparse | undefined {
  let name: string | undefined;
  let realBytes: number | undefined;
  let major = 0;
  const pieces: SparsePiece[] = [];
  let sparse = false;
  for (const [key, value] of records) {
    if (!key.startsWith("GNU.sparse.")) continue;
    sparse = true;
    if (key === "GNU.sparse.name") name = value.toString("latin1");
    else if (key === "GNU.sparse.size" || key === "GNU.sparse.realsize") realBytes = paxNumber(key, value);
    else if (key === "GNU.sparse.major") major = paxNumber(key, value);
    else if (key === "GNU.sparse.offset") pieces.push({ offsetBytes: paxNumber(key, value), lengthBytes: 0 });
    else if (key === "GNU.sparse.numbytes") {
      const last = pieces.at(-1);
      if (!last) throw damagedTar("a sparse file's length comes before its offset");
      last.lengthBytes = paxNumber(key, value);
    } else if (key === "GNU.sparse.map") pieces.push(...pairs(value.toString("latin1").split(",")));
  }
  if (!sparse) return undefined;
  if (realBytes === undefined) throw damagedTar("a sparse file has no size");
  return { name, realBytes, pieces: major >= 1 ? "in data" : pieces };
}

function pairs(numbers: string[]): SparsePiece[] {
  const pieces: SparsePiece[] = [];
  for (let index = 0; index + 1 < numbers.length; index += 2) {
    pieces.push({ offsetBytes: whole(numbers[index]!), lengthBytes: whole(numbers[index + 1]!) });
  }
  return pieces;
}

function whole(text: string): number {
  if (!/^[0-9]{1,16}$/.test(text)) throw damagedTar("a sparse file's map");
  return Number(text);
}

/**
 * Takes version 1.0's map as its blocks arrive: a count, then offset and length of each piece, one number a line, in
 * whole blocks.
 */
export class SparseMapInData {
  private text = "";
  private numbers: string[] = [];
  private expected: number | undefined;

  /** Gives the map once a block completes it. Throws InvalidArgument on anything that is no map. */
  add(block: Buffer): SparsePiece[] | undefined {
    const lines = (this.text + block.toString("latin1")).split("\n");
    this.text = lines.pop()!;
    for (const line of lines) {
      if (this.expected === undefined) {
        this.expected = whole(line) * 2;
        if (this.expected > mostPieces * 2) throw damagedTar("a sparse file has too many pieces");
      } else if (this.numbers.length < this.expected) this.numbers.push(line);
    }
    if (this.expected !== undefined && this.numbers.length === this.expected) return pairs(this.numbers);
    if (this.text.length > 20) throw damagedTar("a sparse file's map");
    return undefined;
  }
}

/** Throws InvalidArgument where pieces overlap, go back, leave the file, or are not as many bytes as are stored. */
export function checkPieces(pieces: readonly SparsePiece[], realBytes: number, storedBytes: number): void {
  if (pieces.length > mostPieces) throw damagedTar("a sparse file has too many pieces");
  let end = 0;
  let sum = 0;
  for (const { offsetBytes, lengthBytes } of pieces) {
    if (offsetBytes < end || lengthBytes < 0) throw damagedTar("pieces of a sparse file overlap");
    end = offsetBytes + lengthBytes;
    sum += lengthBytes;
    if (end > realBytes) throw damagedTar("a piece of a sparse file lies past its end");
  }
  if (sum !== storedBytes) throw damagedTar("a sparse file's map does not fit its data");
}
