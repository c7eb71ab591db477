import fs from "node:fs";
import path from "node:path";
import { LayerWriter, WhiteoutRemover } from "../../../images/unpack/apply";
import { type ApplyMode, Directories, NeedsParents } from "../../../images/unpack/directories";
import type { TarEntry, TarSink } from "../../../images/unpack/tar-entry";
import { TarReader } from "../../../images/unpack/tar-reader";
import { isLayersFault } from "../../../images/unpack/layers-fault";
import { errnoOf } from "../../../sys/libc";
import { Canary, workDirectory as root } from "../canary";
import { checkError } from "../check-error";
import { header, paxRecord, tar } from "../tar-seeds";
import { type FuzzTarget, promise } from "../target";

const modes: ApplyMode[] = ["base", "alone", "merged"];
const mostEntries = 64;
const canary = new Canary(path.join(root, "canary"));

/**
 * Layers. The first byte of an input says how it is applied and in how large pieces it comes, the rest is the tar. It is
 * unpacked without the root of its own that the daemon's threads have, so that what leads out is seen.
 */
export const target: FuzzTarget = {
  form: "tar",
  formAt: 1,
  seeds: () => seeds(),
  run(input) {
    const mode = modes[(input[0] ?? 0) % modes.length]!;
    const pieceBytes = [1 << 20, 512, 1000, 7][(input[0] ?? 0) >> 6]!;
    const archive = input.subarray(1);
    const tree = path.join(root, "tree");
    fs.rmSync(tree, { recursive: true, force: true });
    fs.mkdirSync(tree);
    if (mode === "merged") makeLower(tree);
    const before = new Set(fs.readdirSync(root));
    try {
      const directories = new Directories(tree, mode);
      if (mode === "merged") read(archive, pieceBytes, new WhiteoutRemover(directories));
      const writer = new LayerWriter(directories, mode);
      try {
        read(archive, pieceBytes, new Watched(writer));
        const applied = writer.finish();
        promise(Number.isSafeInteger(applied.sizeBytes), () => `a size of ${applied.sizeBytes}`);
        for (const name of [...applied.implicit, ...applied.whiteouts]) {
          const file = Buffer.from(`${tree}/${name}`, "latin1");
          promise(fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined, () => `${name} is told and not there`);
        }
      } finally {
        writer.close();
      }
    } catch (error) {
      check(error, mode);
    }
    canary.check();
    const after = fs.readdirSync(root).filter((name) => !before.has(name));
    promise(after.length === 0, () => `${after.join(", ")} came beside the tree`);
  },
};

function read(archive: Buffer, pieceBytes: number, sink: TarSink): void {
  const reader = new TarReader(sink, mostEntries);
  for (let at = 0; at < archive.length; at += pieceBytes) reader.write(archive.subarray(at, at + pieceBytes));
  reader.end();
}

/** What the reader promises of entries. */
class Watched implements TarSink {
  private present: TarEntry | undefined;
  private end = 0;

  constructor(private readonly sink: TarSink) {}

  entry(entry: TarEntry): void {
    const parts = entry.path.split("/");
    const isClean = entry.path === "" || !parts.some((part) => part === "" || part === "." || part === "..");
    promise(isClean, () => `the path ${JSON.stringify(entry.path)} is not clean`);
    this.present = entry.type === "file" ? entry : undefined;
    this.end = 0;
    this.sink.entry(entry);
  }

  data(bytes: Buffer, offsetBytes: number): void {
    promise(this.present !== undefined, () => "bytes of no file");
    promise(offsetBytes >= this.end, () => "bytes of a file go back");
    this.end = offsetBytes + bytes.length;
    promise(this.end <= this.present.sizeBytes, () => "bytes past the end of a file");
    this.sink.data(bytes, offsetBytes);
  }

  fileEnd(): void {
    promise(this.present !== undefined, () => "the end of no file");
    this.present = undefined;
    this.sink.fileEnd();
  }
}

function check(error: unknown, mode: ApplyMode): void {
  if (error instanceof NeedsParents && mode === "alone") return;
  if (isLayersFault(errnoOf(error))) return;
  checkError(error, ["InvalidArgument", "ResourceExhausted"]);
}

/** Layers below, with links that lead out of them. */
function makeLower(tree: string): void {
  fs.mkdirSync(`${tree}/a/b`, { recursive: true });
  fs.writeFileSync(`${tree}/a/file`, "lower");
  fs.writeFileSync(`${tree}/a/b/deep`, "lower");
  fs.symlinkSync("../canary", `${tree}/out`);
  fs.symlinkSync(canary.directory, `${tree}/link`);
  fs.symlinkSync("../../canary/secret", `${tree}/a/link`);
  fs.symlinkSync("loop", `${tree}/loop`);
}

function seeds(): Buffer[] {
  const data = (text: string) => Buffer.from(text);
  const pax = (...pairs: [string, string][]) =>
    tar({ ...header("PaxHeader", "x"), data: Buffer.concat(pairs.map(([key, value]) => paxRecord(key, value))) });
  const end = Buffer.alloc(1024);
  const layers = [
    [
      tar(header("a/", "5")),
      tar({ ...header("a/file", "0"), data: data("hello") }),
      tar({ ...header("a/hard", "1"), link: "a/file" }),
      tar({ ...header("link", "2"), link: "../../../canary" }),
      tar(header("a/fifo", "6")),
      tar({ ...header("a/null", "3"), major: 1, minor: 3 }),
      tar({ ...header("a/block", "4"), major: 7, minor: 0 }),
    ],
    [tar(header("a/.wh.file", "0")), tar(header("a/b/.wh..wh..opq", "0")), tar(header("a/b/c/", "5"))],
    [tar({ ...header("out/new", "0"), data: data("x") }), tar({ ...header("link/hard", "1"), link: "link/secret" })],
    [
      pax(["path", "long/name"], ["mtime", "1700000000.5"], ["uid", "1000"], ["SCHILY.xattr.user.a%3Db", "v"]),
      tar({ ...header("short", "0"), data: data("x") }),
      pax(["LIBARCHIVE.xattr.user.c", "dmFsdWU="], ["SCHILY.xattr.security.capability", "\x01\0\0\x02"]),
      tar(header("d/", "5")),
    ],
    [
      tar({ ...header("long", "L"), data: data(`${"n/".repeat(60)}end\0`) }),
      tar({ ...header("long", "K"), data: data(`${"t".repeat(150)}\0`) }),
      tar({ ...header("x", "2"), link: "t" }),
    ],
    [
      pax(
        ["GNU.sparse.major", "1"],
        ["GNU.sparse.minor", "0"],
        ["GNU.sparse.name", "s"],
        ["GNU.sparse.realsize", "9000"],
      ),
      tar({
        ...header("GNUSparse", "0"),
        data: Buffer.concat([Buffer.from("1\n8192\n3\n".padEnd(512, "\0")), data("abc")]),
      }),
      pax(["GNU.sparse.size", "4096"], ["GNU.sparse.offset", "10"], ["GNU.sparse.numbytes", "2"]),
      tar({ ...header("old", "0"), data: data("ab") }),
      pax(["GNU.sparse.size", "4096"], ["GNU.sparse.map", "0,1,4000,1"]),
      tar({ ...header("older", "0"), data: data("ab") }),
    ],
    [
      tar({
        ...header("gnu", "S"),
        data: data("abc"),
        gnuSparse: {
          real: 8192,
          pieces: [
            [0, 1],
            [4096, 2],
          ],
        },
      }),
    ],
    [tar({ ...header("g", "g"), data: paxRecord("gid", "7") }), tar({ ...header("d", "D"), data: data("Yx\0\0") })],
  ];
  return layers.flatMap((layer, index) =>
    [0, 1, 2].map((mode) => Buffer.concat([Buffer.from([mode + 3 * index]), ...layer, end])),
  );
}
