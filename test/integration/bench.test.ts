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
    const [, , ...rows] = text
      .split("\n\n")
      .find((part) => part.includes("RunPodSandbox"))!
      .split("\n");
    const cells = rows.map((row) => row.split(" | "));
    expect(cells.map(([what]) => what)).toEqual(ROWS.map((what) => expect.stringContaining(what)));
    // of Berth's two columns; Debian's containerd does not know every call
    for (const row of cells)
      expect([row[1], row.at(-1)]).toEqual([expect.stringMatching(/\d/), expect.stringMatching(/\d/)]);
    expect(fs.readdirSync(out).filter((name) => name.endsWith(".svg"))).toHaveLength(3);
  } finally {
    fs.rmSync(out, { recursive: true });
  }
}, 250_000);
