import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readMountInfo } from "../../sys/mount-info";
import { HostMounts } from "../../sys/mounts";
import { LoopDisk } from "../support/loop-disk";
import { podCalls } from "../support/pods";
import { testNode } from "../support/test-node";
import { temporaryDirectory } from "../support/unique";

/** What a container has written need not be on the disk when its layer is unmounted, and so nobody waits for the disk. */
const mounts = new HostMounts();
const node = testNode();
const { runPod, createContainer } = podCalls(() => node);

let base = "";
let disk: LoopDisk;
beforeEach(() => {
  base = temporaryDirectory();
  // so that nothing is written until somebody asks for it
  const options = { sizeMb: 16, mountOptions: "commit=300" };
  disk = LoopDisk.make(path.join(base, "disk"), path.join(base, "mounted"), options).mount();
});
afterEach(() => {
  disk.remove();
  fs.rmSync(base, { recursive: true });
});

const mark = `written by another ${"x".repeat(8192)}`;

/** Whether the disk has what another has written to it, once an overlay upon it is unmounted. */
function isWrittenOut(over: { volatile: boolean }): boolean {
  const [lower = "", upper = "", work = "", target = ""] = ["lower", "upper", "work", "target"].map((name) => {
    const directory = path.join(disk.mountPoint, name);
    fs.mkdirSync(directory);
    return directory;
  });
  mounts.overlay({ lower: [lower], upper, work, target, ...over });
  fs.writeFileSync(path.join(target, "own"), "own");
  fs.writeFileSync(path.join(disk.mountPoint, "other"), mark);
  mounts.unmount(target);
  expect(fs.readFileSync(path.join(upper, "own"), "utf8")).toBe("own");
  return fs.readFileSync(disk.file).includes(mark);
}

test("a volatile overlay is unmounted without its disk being written out, another one is not", () => {
  expect(isWrittenOut({ volatile: true })).toBe(false);
  for (const name of ["lower", "upper", "work", "target", "other"])
    fs.rmSync(path.join(disk.mountPoint, name), { recursive: true });
  expect(isWrittenOut({ volatile: false })).toBe(true);
});

test("a container's writable layer is volatile", async () => {
  const id = await createContainer(await runPod());
  const rootfs = readMountInfo().find(({ mountPoint }) => mountPoint.includes(`/${id}/`));
  // newer kernels name it fsync=volatile
  expect(rootfs!.superOptions).toContainEqual(expect.stringMatching(/^(fsync=)?volatile$/));
});
