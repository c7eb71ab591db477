import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { environment } from "../support/daemon";
import { temporaryDirectory } from "../support/unique";

const SCRIPT = path.join(__dirname, "../../hack/bench.mjs");
/** What its table has to tell, in this order. */
const ROWS = [
  "pod up, one at a time",
  "RunPodSandbox",
  "CreateContainer",
  "StartContainer",
  "ExecSync `true`",
  "container and pod torn down",
  "2 pods at once, all up",
  "3 pods at once, all up",
  "ListContainerStats with 3 pods",
  "ListPodSandboxStats with 3 pods",
  "ListPodSandboxMetrics with 3 pods",
  "ListPodSandbox of 4",
  "ListContainers of 4",
  "memory with 3 pods",
  "CPU of the daemon in a minute",
  "pull of 10 layers, 4 MiB unpacked, gzip",
  "pull of 10 layers, 4 MiB unpacked, zstd",
  "daemon start with 3 running pods",
];

const FLOOR = [
  "CNI ADD",
  "CNI DEL",
  ...["crun", "runc"].flatMap((name) =>
    ["create", "start", "exec", "kill and delete"].map((call) => `${name} ${call}`),
  ),
  ...[2, 3].map((count) => `${count} at once: CNI ADD, crun create, start`),
];

const IMAGES = [
  "ImageStatus by name, ms",
  "PullImage, there already, ms",
  "PullImage, one more, ms",
  "RemoveImage, that one, ms",
  "ListImages, ms",
  "ImageFsInfo, ms",
  "pod up, ms",
  "daemon start, ms",
  "memory of the daemon, MiB",
];

/** The cells of the table that begins so, without its header. */
function table(text: string, begin: string): string[][] {
  const [, , ...rows] = text
    .split("\n\n")
    .find((part) => part.startsWith(begin))!
    .split("\n");
  return rows.map((row) => row.replace(/ \|$/, "").split(" | "));
}

test("the benchmark measures all that it is to measure beside containerd, and leaves nothing", () => {
  const out = temporaryDirectory();
  try {
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT, "--smoke", "--out", out], {
      env: environment(),
      encoding: "utf8",
      timeout: 240_000,
    });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const text = fs.readFileSync(path.join(out, "benchmarks.md"), "utf8");
    const cells = table(text, "|  | Berth, crun | containerd, runc | ");
    expect(cells.map(([what]) => what)).toEqual(ROWS.map((what) => expect.stringContaining(what)));
    // of Berth's two columns; Debian's containerd does not know every call
    for (const row of cells)
      expect([row[1], row[6]]).toEqual([expect.stringMatching(/\d/), expect.stringMatching(/\d/)]);
    const floor = table(text, "| alone, ms | ");
    expect(floor).toEqual(FLOOR.map((what) => [`| ${what}`, expect.stringMatching(/\d/)]));
    const images = table(text, "| images | 2 | 4 |");
    expect(images.map(([what]) => what)).toEqual(IMAGES.map((what) => `| ${what}`));
    for (const row of images) expect(row.slice(1)).toEqual([expect.stringMatching(/\d/), expect.stringMatching(/\d/)]);
    expect(text).toMatch(/^(Bars that are not met:\n\n- |All bars are met\.)/m);
    expect(fs.readdirSync(out).filter((name) => name.endsWith(".svg"))).toHaveLength(3);
  } finally {
    fs.rmSync(out, { recursive: true });
  }
}, 250_000);
