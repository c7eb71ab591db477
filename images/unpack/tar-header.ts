import { BerthError } from "../../api/errors";

export const blockBytes = 512;

/** What one 512-byte header says (POSIX ustar, GNU tar's and v7's); names are byte strings, one character a byte. */
export interface TarHeader {
  name: string;
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  modifiedNs: bigint;
  /** One character; "0" where the header has NUL there. */
  type: string;
  link: string;
  deviceMajor: number;
  deviceMinor: number;
  /** GNU's own format, in which other fields stand where ustar has its prefix. */
  gnu: boolean;
}

/** A tar archive that is not one: InvalidArgument. */
export const damagedTar = (what: string) => new BerthError("InvalidArgument", `the tar archive is damaged: ${what}`);

/** A string field: up to the first NUL. */
export function stringField(block: Buffer, offset: number, length: number): string {
  const end = block.indexOf(0, offset);
  return block.toString("latin1", offset, end < 0 || end > offset + length ? offset + length : end);
}

/** A number field: octal digits, or base-256 in two's complement where the first bit is set (GNU, star). */
export function numberField(block: Buffer, offset: number, length: number): number {
  const first = block[offset]!;
  if (first & 0x80) {
    let value = BigInt(first & 0x40 ? (first | 0x80) - 256 : first & 0x7f);
    for (let index = offset + 1; index < offset + length; index++) value = (value << 8n) | BigInt(block[index]!);
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
      throw damagedTar("a number in a header is out of range");
    }
    return Number(value);
  }
  let value = 0;
  let digits = 0;
  for (let index = offset; index < offset + length; index++) {
    const character = block[index]!;
    if (character >= 0x30 && character <= 0x37) {
      value = value * 8 + character - 0x30;
      digits++;
    } else if (character === 0 || (character === 0x20 && digits > 0)) break;
    else if (character !== 0x20) throw damagedTar("a number in a header has characters that are no octal digits");
  }
  return value;
}

/** The sum of all bytes with the checksum's own field as spaces; some old writers took the bytes as signed. */
function checkSum(block: Buffer): void {
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < blockBytes; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : block[index]!;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const stored = numberField(block, 148, 8);
  if (stored !== unsigned && stored !== signed) throw damagedTar("a header's checksum is wrong");
}

/** Reads one header block. Throws InvalidArgument where it is none. */
export function parseTarHeader(block: Buffer): TarHeader {
  checkSum(block);
  const magic = block.toString("latin1", 257, 263);
  const gnu = magic === "ustar ";
  const hasPrefix = magic === "ustar\0";
  const prefix = hasPrefix ? stringField(block, 345, 155) : "";
  const shortName = stringField(block, 0, 100);
  const hasDevice = gnu || hasPrefix;
  const sizeBytes = numberField(block, 124, 12);
  if (sizeBytes < 0) throw damagedTar("a size is negative");
  return {
    name: prefix ? `${prefix}/${shortName}` : shortName,
    mode: numberField(block, 100, 8) & 0o7777,
    uid: numberField(block, 108, 8),
    gid: numberField(block, 116, 8),
    sizeBytes,
    modifiedNs: BigInt(numberField(block, 136, 12)) * 1_000_000_000n,
    type: block[156] ? String.fromCharCode(block[156]) : "0",
    link: stringField(block, 157, 100),
    deviceMajor: hasDevice ? numberField(block, 329, 8) : 0,
    deviceMinor: hasDevice ? numberField(block, 337, 8) : 0,
    gnu,
  };
}

/** Whether a block is all zeros: two of them end an archive. */
export function isZeroBlock(block: Buffer): boolean {
  for (let index = 0; index < blockBytes; index++) if (block[index]) return false;
  return true;
}
