import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describeTree } from "./layers/describe-tree";
import { writeLayout } from "./layers/oci-layout";
import { type MadeEntry, makeTar } from "./layers/tar-maker";
import { buildWorkerScript } from "./layers/worker-script";
import { Workspace } from "./layers/workspace";

jest.setTimeout(60_000);

let workerScript = "";
let space: Workspace;
let directory = "";

beforeAll(() => {
  workerScript = buildWorkerScript();
});

afterAll(() => {
  fs.rmSync(workerScript, { force: true });
});

beforeEach(() => {
  space = new Workspace(workerScript);
  directory = space.directory;
});

afterEach(() => space.clean());

function unpackByUmoci(): string {
  const bundle = path.join(directory, "bundle");
  execFileSync("umoci", ["unpack", "--image", `${path.join(directory, "layout")}:test`, bundle], { stdio: "pipe" });
  return path.join(bundle, "rootfs");
}

/** Both trees in words. Directories that no layer describes have the time of unpacking at umoci's. */
async function bothTrees(tars: Buffer[], options: { anyTime?: string[]; compression?: "gzip" | "zstd" | "none" } = {}) {
  const layout = path.join(directory, "layout");
  const berth = await space.rootfsOf(writeLayout(layout, tars, options.compression).layers);
  // it does not know zstd
  if (options.compression === "zstd") {
    fs.rmSync(layout, { recursive: true });
    writeLayout(layout, tars);
  }
  const umoci = unpackByUmoci();
  const anyTime = options.anyTime ?? [];
  return { berth: describeTree(berth, anyTime), umoci: describeTree(umoci, anyTime) };
}

/** Packs what `fill` makes in a directory with GNU tar. */
function gnuTar(fill: (root: string) => void, args: string[] = ["--format=pax"]): Buffer {
  const root = fs.mkdtempSync(path.join(directory, "src-"));
  fs.chmodSync(root, 0o755);
  fill(root);
  const tar = path.join(directory, `${path.basename(root)}.tar`);
  execFileSync("tar", [
    "-C",
    root,
    ...(args.includes("--format=pax") ? ["--xattrs", "--xattrs-include=*"] : []),
    "--numeric-owner",
    ...args,
    "-cf",
    tar,
    ".",
  ]);
  return fs.readFileSync(tar);
}

const directoryEntry = (name: string, rest: Partial<MadeEntry> = {}): MadeEntry => ({ name, type: "5", ...rest });
const whiteout = (name: string): MadeEntry => ({ name, mode: 0 });
const base: MadeEntry[] = [
  directoryEntry("./", { modified: 1_500_000_000 }),
  directoryEntry("etc/", { modified: 1_500_000_001 }),
  { name: "etc/passwd", data: "root:x:0:0\n" },
  { name: "etc/group", data: "root:x:0:\n" },
  directoryEntry("private/", { mode: 0o700, uid: 1000, gid: 1001, modified: 1_400_000_000 }),
  directoryEntry("private/deep/", { mode: 0o1770, uid: 7, gid: 8, modified: 1_300_000_000 }),
  { name: "private/deep/old", data: "old", uid: 7 },
  directoryEntry("usr/"),
  directoryEntry("srv/", { mode: 0o2775 }),
  directoryEntry("usr/lib/", { modified: 1_200_000_000 }),
  { name: "usr/lib/libold.so", data: "lib" },
  { name: "lib", type: "2", link: "usr/lib" },
  { name: "abs", type: "2", link: "/usr/lib" },
];

describe("a tree from GNU tar", () => {
  const fill = (root: string) => {
    const at = (name: string) => path.join(root, name);
    fs.mkdirSync(at("bin"));
    fs.writeFileSync(at("bin/su"), "setuid");
    fs.chownSync(at("bin/su"), 0, 42);
    fs.chmodSync(at("bin/su"), 0o6755);
    fs.writeFileSync(at("bin/ping"), "caps");
    execFileSync("setcap", ["cap_net_raw+ep", at("bin/ping")]);
    fs.linkSync(at("bin/ping"), at("bin/ping6"));
    fs.mkdirSync(at("tmp"), { mode: 0o755 });
    fs.chmodSync(at("tmp"), 0o1777);
    fs.mkdirSync(at("dev"));
    execFileSync("mknod", [at("dev/null"), "c", "1", "3"]);
    execFileSync("mknod", [at("dev/big"), "b", "259", "300000"]);
    execFileSync("mkfifo", ["-m", "620", at("dev/fifo")]);
    fs.symlinkSync("/etc/shadow", at("dev/link"));
    fs.lchownSync(at("dev/link"), 5, 6);
    fs.mkdirSync(at("data"));
    fs.writeFileSync(at("data/attr"), "x");
    execFileSync("setfattr", ["-n", "user.odd", "-v", "0x00ff0a3d25", at("data/attr")]);
    execFileSync("setfattr", ["-n", "trusted.mine", "-v", "0x01", at("data")]);
    execFileSync("touch", ["-d", "2001-02-03T04:05:06.123456789Z", at("data/attr")]);
    fs.writeFileSync(at("data/ancient"), "before 1970");
    execFileSync("touch", ["-d", "1965-01-01T00:00:00.987654321Z", at("data/ancient")]);
    fs.writeFileSync(at("data/empty"), "");
    const long = `${"l".repeat(90)}/${"m".repeat(200)}/${"n".repeat(255)}`;
    fs.mkdirSync(path.dirname(at(long)), { recursive: true });
    fs.writeFileSync(at(long), "long");
    fs.symlinkSync(long, at("to-long"));
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/data/`), Buffer.from([0xe9, 0xff])]), "latin1");
    const fd = fs.openSync(at("data/sparse"), "w");
    fs.writeSync(fd, "start", 0);
    fs.writeSync(fd, "middle", 3 << 20);
    for (let index = 0; index < 40; index++) fs.writeSync(fd, `piece ${index}`, (5 << 20) + index * 65_536);
    fs.ftruncateSync(fd, 20 << 20);
    fs.closeSync(fd);
    execFileSync("touch", ["-d", "2010-01-01T00:00:00.5Z", at("data"), at("tmp"), at("bin")]);
  };

  test.each([
    ["PAX, gzip", ["--format=pax"], "gzip"],
    ["PAX, zstd", ["--format=pax"], "zstd"],
    ["GNU, plain", ["--format=gnu"], "none"],
  ] as const)("ensure() makes what umoci makes when the layer is %s", async (_, args, compression) => {
    const { berth, umoci } = await bothTrees([gnuTar(fill, [...args])], { compression });
    expect(berth).toEqual(umoci);
    if (compression !== "none") expect(berth["bin/ping"]).toContain("security.capability=");
    expect(Object.keys(berth).length).toBeGreaterThan(18);
  });

  test.each([
    ["old GNU", ["--format=gnu", "--sparse"]],
    ["PAX 0.0", ["--format=pax", "--sparse", "--sparse-version=0.0"]],
    ["PAX 0.1", ["--format=pax", "--sparse", "--sparse-version=0.1"]],
    ["PAX 1.0", ["--format=pax", "--sparse", "--sparse-version=1.0"]],
  ])("ensure() makes what GNU tar packed when files are sparse (%s)", async (_, args) => {
    const image = writeLayout(path.join(directory, "layout"), [gnuTar(fill, args)]);
    const berth = await space.rootfsOf(image.layers);
    const source = path.join(directory, fs.readdirSync(directory).find((name) => /^src-[^.]*$/.test(name))!);
    // GNU's own format has whole seconds and no attributes
    const plain = args[0] === "--format=gnu";
    const simplified = (tree: Record<string, string>) =>
      plain
        ? Object.fromEntries(
            Object.entries(tree).map(([name, words]) => [
              name,
              words.replace(/mtime=(-?\d+)\d{9}\b/, "").replace(/ (security|user|trusted)\.\S+=\S*/g, ""),
            ]),
          )
        : tree;
    expect(simplified(describeTree(berth))).toEqual(simplified(describeTree(source)));
    expect(fs.statSync(path.join(berth, "data/sparse")).blocks).toBeLessThan(2048);
  });
});

describe("layers upon layers", () => {
  const cases: [name: string, tars: MadeEntry[][], anyTime?: string[]][] = [
    ["a file is removed", [base, [directoryEntry("etc/"), whiteout("etc/.wh.group")]]],
    ["a whiteout is all there is", [base, [whiteout("private/deep/.wh.old")]]],
    ["a directory is removed", [base, [whiteout(".wh.private")]]],
    [
      "a directory is opaque",
      [base, [directoryEntry("etc/", { modified: 9 }), whiteout("etc/.wh..wh..opq"), { name: "etc/new" }]],
    ],
    ["an opaque mark comes last", [base, [{ name: "etc/new" }, whiteout("etc/.wh..wh..opq")]]],
    [
      "a directory is removed and made anew",
      [base, [whiteout(".wh.etc"), directoryEntry("etc/", { mode: 0o711 }), { name: "etc/new" }]],
    ],
    [
      "a directory is made anew and then removed below",
      [base, [directoryEntry("etc/", { mode: 0o711 }), { name: "etc/new" }, whiteout(".wh.etc")]],
      ["etc"],
    ],
    ["parents have no entry", [base, [{ name: "private/deep/new", data: "n" }]]],
    ["parents have no entry in two layers", [base, [{ name: "private/deep/new" }], [{ name: "private/deep/newer" }]]],
    ["a parent is a link below", [base, [{ name: "lib/libnew.so", data: "new" }]]],
    [
      "a parent is an absolute link below",
      [base, [{ name: "abs/sub/libnew.so", data: "new" }]],
      ["usr/lib", "usr/lib/sub"],
    ],
    ["a file is removed through a link", [base, [whiteout("lib/.wh.libold.so")]]],
    ["a hard link leads to a layer below", [base, [{ name: "etc/link", type: "1", link: "etc/passwd" }]]],
    [
      "a hard link's file is replaced",
      [[...base, { name: "z", type: "1", link: "etc/passwd" }], [{ name: "etc/passwd", data: "new" }]],
    ],
    ["a file becomes a directory", [base, [directoryEntry("lib/"), { name: "lib/x" }]]],
    ["a directory becomes a file", [base, [{ name: "etc", data: "file" }]]],
    [
      "a directory becomes a file and a directory again",
      [base, [{ name: "etc", data: "file" }], [directoryEntry("etc/"), { name: "etc/x" }]],
    ],
    ["the root changes", [base, [directoryEntry("./", { mode: 0o711, uid: 3, gid: 4, modified: 77 })]]],
    [
      "an entry comes twice",
      [
        base,
        [
          { name: "etc/passwd", data: "1" },
          { name: "etc/passwd", data: "22", mode: 0o600 },
          directoryEntry("etc/", { mode: 0o500 }),
          directoryEntry("etc/", { mode: 0o700 }),
        ],
      ],
    ],
    [
      "a link's directory is in the layer above",
      [
        base,
        [
          { name: "way", type: "2", link: "private/deep" },
          { name: "way/x", data: "x" },
        ],
      ],
    ],
    [
      "removed in one layer, back in the next",
      [base, [whiteout("etc/.wh.passwd")], [{ name: "etc/passwd", data: "back" }]],
    ],
    [
      "removed directory is back with other children",
      [base, [whiteout("private/.wh.deep")], [directoryEntry("private/deep/"), { name: "private/deep/new" }]],
    ],
    [
      "a file hides under an opaque directory two layers down",
      [base, [whiteout("private/.wh..wh..opq")], [{ name: "private/x" }]],
    ],
    [
      "attributes change",
      [
        [
          ...base,
          {
            name: "etc/a",
            pax: [
              ["SCHILY.xattr.user.one", "1"],
              ["mtime", "1234567890.123456789"],
            ],
          },
        ],
        [
          directoryEntry("etc/", {
            pax: [
              ["SCHILY.xattr.user.dir", "d"],
              ["SCHILY.xattr.trusted.overlay.opaque", "y"],
            ],
          }),
        ],
        [{ name: "etc/b", pax: [["mtime", "-1.25"]] }],
      ],
    ],
  ];
  test.each(cases)("ensure() makes what umoci makes when %s", async (_, tars, ...[anyTime]) => {
    const { berth, umoci } = await bothTrees(tars.map(makeTar), { anyTime });
    expect(berth).toEqual(umoci);
    expect(space.reports).toEqual([]);
  });

  test("ensure() passes AUFS's bookkeeping over when a layer has it", async () => {
    const aufs = [
      directoryEntry(".wh..wh.plnk/"),
      { name: ".wh..wh.plnk/1.2" },
      { name: ".wh..wh.aufs" },
      { name: "etc/x" },
    ];
    const target = await space.rootfsOf(writeLayout(space.at("layout"), [base, aufs].map(makeTar)).layers);
    expect(Object.keys(describeTree(target)).filter((name) => name.includes(".wh."))).toEqual([]);
    expect(fs.existsSync(path.join(target, "etc/x"))).toBe(true);
  });

  test("ensure() leaves no sign of a whiteout that hides nothing when it is looked at", async () => {
    const odd = [directoryEntry("new/"), whiteout("new/.wh.nothing"), whiteout("etc/.wh.nothing"), { name: "etc/x" }];
    const { berth, umoci } = await bothTrees([
      makeTar(base),
      makeTar(odd),
      makeTar([whiteout("new/.wh..wh..opq"), whiteout("new/.wh.a")]),
    ]);
    expect(berth).toEqual(umoci);
  });

  test("ensure() makes what umoci makes when there are 130 layers", async () => {
    const tars = [makeTar(base)];
    for (let index = 1; index < 130; index++) {
      const entries: MadeEntry[] = [{ name: `private/deep/file-${index}`, data: `content ${index}` }];
      if (index % 3 === 0) entries.push(whiteout(`private/deep/.wh.file-${index - 2}`));
      if (index % 7 === 0) entries.push({ name: `etc/hard-${index}`, type: "1", link: `private/deep/file-${index}` });
      if (index % 50 === 0) entries.push({ name: `lib/lib-${index}` });
      tars.push(makeTar(entries));
    }
    const { berth, umoci } = await bothTrees(tars);
    expect(berth).toEqual(umoci);
  });
});
