import { damagedTar } from "./tar-header";

/** One record of an extended header; keys are byte strings, values bytes. Order counts: GNU's sparse 0.0 repeats keys. */
export type PaxRecord = readonly [key: string, value: Buffer];

/** Larger extended headers are refused: they are held in memory. */
export const largestPaxBytes = 1 << 20;

/** Splits the body of an `x` or `g` entry: "LENGTH KEY=VALUE\n" over and over (POSIX pax, pax Extended Header). */
export function parsePaxRecords(body: Buffer): PaxRecord[] {
  const records: PaxRecord[] = [];
  let offset = 0;
  while (offset < body.length) {
    // some writers fill up with NULs
    if (body[offset] === 0) break;
    const space = body.indexOf(0x20, offset);
    if (space < 0 || space - offset > 10) throw damagedTar("an extended header's record has no length");
    const digits = body.toString("latin1", offset, space);
    const end = offset + Number(digits);
    if (!/^[0-9]+$/.test(digits) || end <= space + 1 || end > body.length || body[end - 1] !== 0x0a) {
      throw damagedTar("an extended header's record has a wrong length");
    }
    const equals = body.indexOf(0x3d, space + 1);
    if (equals < 0 || equals >= end) throw damagedTar("an extended header's record has no value");
    records.push([body.toString("latin1", space + 1, equals), body.subarray(equals + 1, end - 1)]);
    offset = end;
  }
  return records;
}

/** A whole number in a record. */
export function paxNumber(key: string, value: Buffer): number {
  const text = value.toString("latin1");
  const number = Number(text);
  if (!/^-?[0-9]+$/.test(text) || !Number.isSafeInteger(number)) throw damagedTar(`${key} in an extended header`);
  return number;
}

/** Decimal seconds, any number of digits after the point, to ns since 1970; what is finer is cut off. */
export function paxTime(key: string, value: Buffer): bigint {
  const match = /^(-?)([0-9]{1,18})(?:\.([0-9]*))?$/.exec(value.toString("latin1"));
  if (!match) throw damagedTar(`${key} in an extended header`);
  const ns = BigInt(match[2]!) * 1_000_000_000n + BigInt((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  return match[1] ? -ns : ns;
}

/**
 * The extended attributes among records: `SCHILY.xattr.` (star, GNU, Go), in which GNU tar writes "=" and "%" of a
 * name as %3D and %25, and `LIBARCHIVE.xattr.`, whose name is URL-encoded and whose value is Base64. Names are byte
 * strings.
 */
export function paxXattrs(records: Iterable<PaxRecord>): Map<string, Buffer> | undefined {
  let found: Map<string, Buffer> | undefined;
  for (const [key, value] of records) {
    if (key.startsWith("SCHILY.xattr.")) {
      const name = key.slice(13).replace(/%3D|%25/g, (code) => (code === "%25" ? "%" : "="));
      found ??= new Map();
      found.set(name, value);
    } else if (key.startsWith("LIBARCHIVE.xattr.")) {
      const name = key
        .slice(17)
        .replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
      found ??= new Map();
      // bsdtar writes both; the raw one needs no decoding
      if (!found.has(name)) found.set(name, Buffer.from(value.toString("latin1"), "base64"));
    }
  }
  return found;
}
