interface Made {
  name: string;
  type: string;
  link?: string;
  data?: Buffer;
  major?: number;
  minor?: number;
  gnuSparse?: { real: number; pieces: [number, number][] };
}

export const header = (name: string, type: string): Made => ({ name, type });

/** An entry of an archive: its header and its data in whole blocks. */
export function tar({ name, type, link = "", data = Buffer.alloc(0), major = 0, minor = 0, gnuSparse }: Made): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at);
  block.write(name, 0, "latin1");
  octal(0o644, 100, 8);
  octal(1, 108, 8);
  octal(2, 116, 8);
  octal(data.length, 124, 12);
  octal(100, 136, 12);
  block.write("        ", 148);
  block.write(type, 156);
  block.write(link, 157, "latin1");
  block.write(gnuSparse ? "ustar  \0" : "ustar\x0000", 257, "latin1");
  octal(major, 329, 8);
  octal(minor, 337, 8);
  if (gnuSparse) {
    block.fill(0, 345, 512);
    gnuSparse.pieces.forEach(([offset, length], index) => {
      octal(offset, 386 + index * 24, 12);
      octal(length, 398 + index * 24, 12);
    });
    octal(gnuSparse.real, 483, 12);
  }
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([block, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

/** A record of an extended header, with its own length before it. */
export function paxRecord(key: string, value: string): Buffer {
  const text = ` ${key}=${value}\n`;
  for (let length = text.length + 1; ; length++) {
    const record = `${length}${text}`;
    if (record.length === length) return Buffer.from(record, "latin1");
  }
}
