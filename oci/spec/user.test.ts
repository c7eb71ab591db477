import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { containerConfig } from "./input.fixture";
import { imageUser, resolveUser } from "./user";

let root = "";
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "berth-user-"));
  fs.mkdirSync(path.join(root, "etc"));
  fs.writeFileSync(
    path.join(root, "etc/passwd"),
    "root:x:0:0::/:/bin/sh\nbroken\napp:x:1000:1001::/:/bin/sh\n2147483648:x:5:5::/:/\n77:x:6:6::/:/\nmüller:x:9:9::/:/",
  );
  fs.writeFileSync(path.join(root, "etc/group"), "app:x:1001:\nwheel:x:50:root,app\nextra:x:60:app\n");
});
afterEach(() => fs.rmSync(root, { recursive: true }));

type Context = NonNullable<NonNullable<ReturnType<typeof containerConfig>["linux"]>["securityContext"]>;
const resolve = (image: string, init: Partial<Context> = {}) =>
  resolveUser({
    rootfsPath: root,
    imageUser: image,
    securityContext: containerConfig({ linux: { securityContext: init } }).linux!.securityContext,
  });
const id = (value: number) => ({ value: BigInt(value) });

describe("resolveUser()", () => {
  test("is root without any word", async () => {
    await expect(resolveUser({ rootfsPath: root, securityContext: null, imageUser: "" })).resolves.toEqual({
      uid: 0,
      gid: 0,
      additionalGids: [0, 50],
      username: "root",
    });
  });

  test.each([
    ["app", 1000, 1001, [50, 60, 1001]],
    ["1000", 1000, 1001, [50, 60, 1001]],
    ["app:wheel", 1000, 50, [50, 60]],
    ["1000:7", 1000, 7, [7, 50, 60]],
    ["4242", 4242, 0, [0]],
    ["4242:4243", 4242, 4243, [4243]],
    ["müller", 9, 9, [9]],
    ["77", 77, 0, [0]],
  ])("resolves the image's %s", async (user, uid, gid, additionalGids) => {
    await expect(resolve(user)).resolves.toMatchObject({ uid, gid, additionalGids });
  });

  test("prefers the request's user and group", async () => {
    await expect(resolve("app:wheel", { runAsUser: id(4242) })).resolves.toMatchObject({
      uid: 4242,
      gid: 0,
      additionalGids: [0],
    });
    await expect(resolve("", { runAsUsername: "app", runAsGroup: id(8) })).resolves.toMatchObject({
      uid: 1000,
      gid: 8,
    });
  });

  test("leaves the image's groups out under the policy Strict", async () => {
    await expect(resolve("app", { supplementalGroupsPolicy: 1, supplementalGroups: [3n] })).resolves.toMatchObject({
      additionalGids: [3, 1001],
    });
    await expect(resolve("app", { supplementalGroups: [3n] })).resolves.toMatchObject({
      additionalGids: [3, 50, 60, 1001],
    });
  });

  test("never takes a number for a name, and refuses what is out of range", async () => {
    for (const user of ["2147483648", "4294967296", "-1", "a:b:c", "1:2147483648", "app:-1", "none", "app:none"]) {
      await expect(resolve(user)).rejects.toMatchObject({ code: "InvalidArgument" });
    }
    await expect(resolve("", { runAsUser: id(-1) })).rejects.toThrow(/not between/);
    await expect(resolve("", { runAsUser: id(2 ** 31) })).rejects.toThrow(/not between/);
    await expect(resolve("", { supplementalGroups: [-1n] })).rejects.toThrow(/not between/);
    await expect(resolve("", { runAsUsername: "2147483648" })).rejects.toThrow(/not between/);
    await expect(resolve("", { supplementalGroupsPolicy: 7 })).rejects.toThrow(/unknown/);
  });

  test("refuses a group without a user, whatever the image says", async () => {
    await expect(resolve("app", { runAsGroup: id(5) })).rejects.toThrow(/run_as_group/);
  });

  test("does without account files, but not with hostile ones", async () => {
    fs.rmSync(path.join(root, "etc/passwd"));
    fs.rmSync(path.join(root, "etc/group"));
    await expect(resolve("5:6")).resolves.toEqual({ uid: 5, gid: 6, additionalGids: [6], username: undefined });
    execFileSync("mkfifo", [path.join(root, "etc/passwd")]);
    await expect(resolve("5")).rejects.toThrow(/not a regular file/);
    fs.rmSync(path.join(root, "etc/passwd"));
    execFileSync("mkfifo", [path.join(root, "etc/group")]);
    // though nothing in it is asked for
    await expect(resolve("5", { supplementalGroupsPolicy: 1 })).rejects.toThrow(/group.* is not a regular file/);
    fs.rmSync(path.join(root, "etc/group"));
    fs.symlinkSync("/../../../../../etc/passwd", path.join(root, "etc/passwd"));
    await expect(resolve("daemon")).rejects.toMatchObject({ code: "InvalidArgument" });
    fs.rmSync(path.join(root, "etc/passwd"));
    fs.writeFileSync(path.join(root, "etc/passwd"), "");
    fs.truncateSync(path.join(root, "etc/passwd"), 2 ** 30);
    await expect(resolve("app")).rejects.toThrow(/more than 10485760 bytes/);
  });

  test("reads lines that lie across chunks, and lets others work between these", async () => {
    const group = (number: number) => `g${number}:x:${number}:app,${"é".repeat(10)}\n`;
    const groups = Array.from({ length: 50_000 }, (_, index) => group(index + 1));
    fs.writeFileSync(path.join(root, "etc/group"), groups.join(""));
    let turns = 0;
    const counting = setInterval(() => turns++, 0);
    const { additionalGids } = await resolve("app");
    clearInterval(counting);
    expect(additionalGids).toEqual(Array.from({ length: 50_000 }, (_, index) => index + 1));
    expect(turns).toBeGreaterThan(3);
    fs.appendFileSync(
      path.join(root, "etc/group"),
      Array.from({ length: 20_000 }, (_, i) => group(60_000 + i)).join(""),
    );
    await expect(resolve("app")).rejects.toThrow(/supplemental groups are more than 65536/);
  });
});

describe("imageUser()", () => {
  test("tells a uid or a name, never both", () => {
    expect(imageUser("1000:1000")).toEqual({ uid: 1000n, username: "" });
    expect(imageUser("app:grp")).toEqual({ username: "app" });
    expect(imageUser("")).toEqual({ username: "" });
    expect(imageUser("4294967296")).toEqual({ username: "4294967296" });
  });
});
