import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { newSandboxId, type SandboxId } from "../api/ids";
import type { Attachment } from "./attachment";
import { AttachmentCache } from "./attachment-cache";

let directory: string;
beforeEach(() => {
  directory = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "berth-cache-")), "made");
});
afterEach(() => fs.rmSync(path.dirname(directory), { recursive: true }));

const attachment = (): Attachment => ({
  sandboxId: newSandboxId(),
  network: {
    name: "n",
    cniVersion: "1.0.0",
    disableCheck: false,
    disableGC: true,
    loadOnlyInlinedPlugins: false,
    plugins: [{ type: "a", own: 1 }],
  },
  netnsPath: "/ns",
  ifName: "eth0",
  args: "X=1",
  capabilityArgs: { dns: {} },
});

test("AttachmentCache brings back what it wrote after a restart", async () => {
  const [first, second] = [attachment(), { ...attachment(), result: { ips: [] } }];
  const cache = new AttachmentCache(directory);
  await cache.write(first);
  await cache.write(second);
  await cache.remove(first.sandboxId);
  fs.writeFileSync(path.join(directory, `${first.sandboxId}.json.tmp-1`), "{");
  const again = new AttachmentCache(directory);
  expect(again.list()).toEqual([second.sandboxId]);
  expect(await again.read(second.sandboxId)).toEqual(second);
  expect(fs.readdirSync(directory)).toEqual([`${second.sandboxId}.json`]);
});

test("read() says what is wrong with a record, and setAside() keeps it", async () => {
  const cache = new AttachmentCache(directory);
  const one = attachment();
  await cache.write(one);
  const file = path.join(directory, `${one.sandboxId}.json`);
  const whole = JSON.parse(fs.readFileSync(file, "utf8"));
  for (const [change, message] of [
    ["", "line 1: "],
    [{ ...whole, version: "x".repeat(70_000) }, "it is without a version, known is 1"],
    [{ ...whole, version: 2 }, "it is of version 2, known is 1"],
    [{ ...whole, sandboxId: newSandboxId() }, "it is of another sandbox"],
    [{ ...whole, args: undefined }, "netnsPath, ifName or args is missing"],
    [{ ...whole, capabilityArgs: null }, "capabilityArgs or result is missing"],
    [{ ...whole, network: { ...whole.network, plugins: [{ type: "../x" }] } }, "is not the bare name of a plugin"],
  ] as const) {
    fs.writeFileSync(file, change === "" ? "" : JSON.stringify(change));
    await expect(cache.read(one.sandboxId)).rejects.toMatchObject({
      code: "FailedPrecondition",
      message: expect.stringContaining(message),
    });
  }
  expect(await cache.setAside(one.sandboxId)).toBe(`${file}.damaged`);
  expect(cache.list()).toEqual([]);
  expect(new AttachmentCache(directory).list()).toEqual([]);
});

test("AttachmentCache makes no path of what is no sandbox's ID", async () => {
  const cache = new AttachmentCache(directory);
  await expect(cache.write({ ...attachment(), sandboxId: "../x" as SandboxId })).rejects.toMatchObject({
    code: "InvalidArgument",
  });
  await expect(cache.read(newSandboxId())).rejects.toMatchObject({ code: "NotFound" });
  expect(cache.list()).toEqual([]);
});
