/** One entry of an archive made by hand, for what GNU tar would not write. */
export interface MadeEntry {
  name: string;
  type?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  /** Seconds. */
  modified?: number;
  link?: string;
  device?: [major: number, minor: number];
  data?: Buffer | string;
  /** Records of an extended header before the entry, in order. */
  pax?: [key: string, value: string | Buffer][];
}

const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, "0")}\0`;

function header(entry: MadeEntry, sizeBytes: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(entry.name, 0, 100, "utf8");
  block.write(octal(entry.mode ?? (entry.type === "5" ? 0o755 : 0o644), 8), 100);
  block.write(octal(entry.uid ?? 0, 8), 108);
  block.write(octal(entry.gid ?? 0, 8), 116);
  block.write(octal(sizeBytes, 12), 124);
  block.write(octal(entry.modified ?? 1_600_000_000, 12), 136);
  block.write(" ".repeat(8), 148);
  block.write(entry.type ?? "0", 156);
  block.write(entry.link ?? "", 157, 100, "utf8");
  block.write("ustar\0" + "00", 257, "latin1");
  const [major, minor] = entry.device ?? [0, 0];
  block.write(octal(major, 8), 329);
  block.write(octal(minor, 8), 337);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

const padded = (data: Buffer) => Buffer.concat([data, Buffer.alloc((512 - (data.length % 512)) % 512)]);

function paxRecord([key, value]: [string, string | Buffer]): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, "latin1"), Buffer.from(value as string), Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** One entry's blocks. */
export function tarBlocks(entry: MadeEntry): Buffer {
  const data = Buffer.from((entry.data as string) ?? "");
  const blocks: Buffer[] = [];
  if (entry.pax) {
    const body = Buffer.concat(entry.pax.map(paxRecord));
    blocks.push(header({ name: "PaxHeaders/x", type: "x" }, body.length), padded(body));
  }
  blocks.push(header(entry, data.length), padded(data));
  return Buffer.concat(blocks);
}

/** A whole archive. */
export const makeTar = (entries: MadeEntry[]) => Buffer.concat([...entries.map(tarBlocks), Buffer.alloc(1024)]);
