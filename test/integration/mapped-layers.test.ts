import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openIdMapped } from "../../sys/id-mapped-tree";
import { HostMounts } from "../../sys/mounts";
import { inNewUserNamespace } from "../../sys/user-namespace";

/** Overlays of layers that a user namespace maps, by each way in which a kernel takes them. */
const mapping = [{ containerId: 0, hostId: 300000, length: 65536 }];
const mounts = new HostMounts();
let base = "";
let target = "";
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), "berth-mapped-"));
  target = path.join(base, "target");
  for (const name of ["target", "upper", "work"]) fs.mkdirSync(path.join(base, name));
});
afterEach(() => {
  mounts.unmount(target);
  fs.rmSync(base, { recursive: true });
});

/** Each has a file of its own, that of number n owned by n. */
function makeLayers(count: number, prefix = "layer"): string[] {
  return Array.from({ length: count }, (_, n) => {
    const directory = path.join(base, `${prefix}-${n}`);
    fs.mkdirSync(directory);
    fs.writeFileSync(path.join(directory, `file-${n}`), "");
    fs.chownSync(path.join(directory, `file-${n}`), n, n);
    return directory;
  });
}

const inside = (use: (userNamespace: string) => void) =>
  inNewUserNamespace({ types: [], uids: mapping, gids: mapping }, (pid) => use(`/proc/${pid}/ns/user`));
const ownerOf = (name: string) => fs.statSync(path.join(target, name)).uid;
const writable = () => ({ upper: path.join(base, "upper"), work: path.join(base, "work"), target });
const temporary = () => fs.readdirSync("/tmp").filter((name) => /^l[A-Za-z0-9]{6}$/.test(name));

test("overlay() maps one layer or many, and nothing of the upper directory", async () => {
  for (const count of [1, 2, 128]) {
    const lower = makeLayers(count, `of-${count}`);
    await inside((userNamespace) => mounts.overlay({ ...writable(), lower, userNamespace }));
    expect(ownerOf(`file-${count - 1}`)).toBe(300000 + count - 1);
    fs.writeFileSync(path.join(target, "new"), "");
    expect(ownerOf("new")).toBe(0);
    mounts.unmount(target);
    for (const name of ["upper", "work"]) {
      fs.rmSync(path.join(base, name), { recursive: true });
      fs.mkdirSync(path.join(base, name));
    }
  }
});

test("overlay() maps layers for reading alone", async () => {
  for (const count of [1, 2]) {
    const lower = makeLayers(count, `of-${count}`);
    await inside((userNamespace) => mounts.overlay({ lower, target, userNamespace }));
    expect(ownerOf("file-0")).toBe(300000);
    expect(() => fs.writeFileSync(path.join(target, "new"), "")).toThrow(/EROFS/);
    mounts.unmount(target);
  }
});

test("layers are attached for kernels that take none by descriptor, and are not left there", async () => {
  const before = temporary();
  const lower = makeLayers(3);
  await inside((userNamespace) => {
    const trees = lower.map((directory) => openIdMapped(directory, userNamespace));
    try {
      mounts["overlayOfAttached"]({ ...writable(), lower }, trees);
    } finally {
      for (const tree of trees) fs.closeSync(tree);
    }
  });
  expect([0, 1, 2].map((n) => ownerOf(`file-${n}`))).toEqual([300000, 300001, 300002]);
  expect(temporary()).toEqual(before);
  expect(lower.every((directory) => fs.readdirSync(directory).length === 1)).toBe(true);
});

test("inNewUserNamespace() tells what is wrong with a mapping, and leaves no process", async () => {
  const lines = [...mapping, ...mapping];
  let pid = 0;
  await expect(inNewUserNamespace({ types: ["net"], uids: lines, gids: mapping }, () => {})).rejects.toThrow(
    /user namespace.*EINVAL/,
  );
  await inNewUserNamespace({ types: ["net", "ipc", "uts"], uids: mapping, gids: mapping }, (child) => {
    pid = child;
    expect(fs.readlinkSync(`/proc/${pid}/ns/net`)).not.toBe(fs.readlinkSync("/proc/self/ns/net"));
  });
  expect(fs.existsSync(`/proc/${pid}`)).toBe(false);
});
