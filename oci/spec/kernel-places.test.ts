import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { checkKernelPlaces } from "./kernel-places";

let rootfs: string;
beforeEach(() => {
  rootfs = fs.mkdtempSync(path.join(os.tmpdir(), "berth-rootfs-"));
});
afterEach(() => fs.rmSync(rootfs, { recursive: true }));

test("checkKernelPlaces() takes directories, and places that are not there", () => {
  fs.mkdirSync(path.join(rootfs, "dev"));
  checkKernelPlaces(rootfs);
});

test.each(["dev", "proc", "sys"])("checkKernelPlaces() refuses a /%s that is a link or a file", (name) => {
  const place = path.join(rootfs, name);
  fs.symlinkSync("/tmp", place);
  expect(() => checkKernelPlaces(rootfs)).toThrow(`the image's /${name} is a link`);
  fs.rmSync(place);
  fs.writeFileSync(place, "");
  expect(() => checkKernelPlaces(rootfs)).toThrow(`the image's /${name} is no directory`);
});
