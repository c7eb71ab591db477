import type { TarEntry } from "./tar-entry";
import { TarReader } from "./tar-reader";

interface Made {
  name: string;
  type?: string;
  size?: number | Buffer;
  data?: string;
  pax?: string;
  modified?: Buffer;
  magic?: string;
  prefix?: string;
  major?: string;
}

function block({
  name,
  type = "0",
  data = "",
  size = data.length,
  modified,
  magic = "ustar\x0000",
  prefix = "",
  major = "",
}: Made) {
  const header = Buffer.alloc(512);
  header.write(name, 0, "latin1");
  header.write("0000644\0", 100);
  header.write("0000001\0", 108);
  header.write("0000002\0", 116);
  if (Buffer.isBuffer(size)) size.copy(header, 124);
  else header.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  if (modified) modified.copy(header, 136);
  else header.write("00000000144\0", 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write(magic, 257, "latin1");
  header.write(major, 329);
  header.write(prefix, 345, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(data.length / 512) * 512);
  body.write(data, "latin1");
  return Buffer.concat([header, body]);
}

const record = (text: string) => {
  for (let length = text.length + 2; ; length++)
    if (`${length} ${text}\n`.length === length) return `${length} ${text}\n`;
};

/** Reads an archive in pieces of `pieceBytes`. */
function read(archive: Buffer, pieceBytes = archive.length, mostEntries = 100) {
  const entries: (TarEntry & { content: string; pieces: [number, string][] })[] = [];
  const reader = new TarReader(
    {
      entry: (entry) => void entries.push({ ...entry, content: "", pieces: [] }),
      data: (bytes, offset) => {
        const last = entries.at(-1)!;
        last.content += bytes.toString("latin1");
        last.pieces.push([offset, bytes.toString("latin1")]);
      },
      fileEnd: () => {
        entries.at(-1)!.content += "|";
      },
    },
    mostEntries,
  );
  for (let at = 0; at < archive.length; at += pieceBytes) reader.write(archive.subarray(at, at + pieceBytes));
  reader.end();
  return entries;
}

const end = Buffer.alloc(1024);

test.each([1, 7, 511, 512, 513, 100_000])(
  "write() gives the same entries when the pieces have %d bytes",
  (pieceBytes) => {
    const archive = Buffer.concat([
      block({
        name: "PaxHeader",
        type: "x",
        data: record("path=long/name") + record("SCHILY.xattr.user.a%3Db=v=\x00\xff"),
      }),
      block({ name: "short", data: "x".repeat(1000) }),
      block({ name: "LongLink", type: "L", data: `${"n".repeat(150)}\0` }),
      block({ name: "cut", magic: "ustar  \0" }),
      block({ name: "last/", type: "5", prefix: "before" }),
      end,
    ]);
    const entries = read(archive, pieceBytes);
    expect(entries.map(({ path, type, content }) => [path, type, content])).toEqual([
      ["long/name", "file", `${"x".repeat(1000)}|`],
      ["n".repeat(150), "file", "|"],
      ["before/last", "directory", ""],
    ]);
    expect([...entries[0]!.xattrs!]).toEqual([["user.a=b", Buffer.from("v=\x00\xff", "latin1")]]);
  },
);

test("write() reads sizes in base 256 and times before 1970 when GNU wrote them", () => {
  const size = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
  const modified = Buffer.alloc(12, 0xff);
  const [entry] = read(Buffer.concat([block({ name: "a", data: "abc", size, modified }), end]));
  expect(entry).toMatchObject({ sizeBytes: 3, modifiedNs: -1_000_000_000n, content: "abc|" });
});

test.each([
  ["mtime=1.5", 1_500_000_000n],
  ["mtime=-1.25", -1_250_000_000n],
  ["mtime=1600000000.123456789999", 1_600_000_000_123_456_789n],
  ["mtime=0", 0n],
])("write() keeps each nanosecond when a record says %s", (text, modifiedNs) => {
  const archive = Buffer.concat([block({ name: "p", type: "x", data: record(text) }), block({ name: "a" }), end]);
  expect(read(archive)[0]).toMatchObject({ modifiedNs });
});

test("write() lets a global header hold until a local one says otherwise", () => {
  const archive = Buffer.concat([
    block({ name: "g", type: "g", data: record("uid=7") }),
    block({ name: "a" }),
    block({ name: "x", type: "x", data: record("uid=8") }),
    block({ name: "b" }),
    block({ name: "c" }),
    end,
  ]);
  expect(read(archive).map(({ uid }) => uid)).toEqual([7, 8, 7]);
});

test("write() puts the pieces of a sparse file where they belong", () => {
  const archive = Buffer.concat([
    block({ name: "x", type: "x", data: record("GNU.sparse.size=100") + record("GNU.sparse.map=10,3,50,2") }),
    block({ name: "s", data: "abcde" }),
    end,
  ]);
  expect(read(archive)[0]).toMatchObject({
    sizeBytes: 100,
    pieces: [
      [10, "abc"],
      [50, "de"],
    ],
  });
});

test("end() takes an archive whose zero blocks or last padding are missing", () => {
  expect(read(block({ name: "a" }))).toHaveLength(1);
  expect(read(block({ name: "a", data: "abc" }).subarray(0, 515))).toHaveLength(1);
  expect(read(Buffer.alloc(0))).toHaveLength(0);
});

test.each([
  [
    "a sparse file has a directory's name",
    Buffer.concat([
      block({ name: "x", type: "x", data: record("GNU.sparse.size=100") + record("GNU.sparse.map=10,3") }),
      block({ name: "s/", data: "abc" }),
    ]),
  ],
  ["a device has a number that the kernel would cut", block({ name: "d", type: "3", major: "0010000" })],
  ["it stops in a header", block({ name: "a" }).subarray(0, 100)],
  ["it stops in a file", block({ name: "a", data: "abc" }).subarray(0, 514)],
  ["it stops after an extended header", block({ name: "p", type: "x", data: record("uid=1") })],
  ["entries follow a zero block", Buffer.concat([Buffer.alloc(512), block({ name: "a" }), end])],
  ["a size is no number", Buffer.concat([block({ name: "a", size: Buffer.from("0000000x000\0") }), end])],
  [
    "a record has no value",
    Buffer.concat([block({ name: "p", type: "x", data: "8 novalu\n" }), block({ name: "a" }), end]),
  ],
])("write() and end() refuse the archive when %s", (_, archive) => {
  expect(() => read(archive)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
});

test("write() ends with ResourceExhausted when there are too many entries", () => {
  const archive = Buffer.concat([block({ name: "a" }), block({ name: "b" }), end]);
  expect(() => read(archive, 512, 1)).toThrow(expect.objectContaining({ code: "ResourceExhausted" }));
});
