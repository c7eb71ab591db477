import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { relabel } from "./relabel";
import { getXattr, listXattrs } from "./xattr";

let base = "";
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), "berth-relabel-"));
});
afterEach(() => fs.rmSync(base, { recursive: true }));

const label = "system_u:object_r:container_file_t:s0:c1,c2";
const labelOf = (name: string) => getXattr(path.join(base, name), "security.selinux").toString();

describe("relabel()", () => {
  test("labels all below a directory, links and odd names too, and nothing that links lead to", async () => {
    fs.mkdirSync(path.join(base, "volume/a/b"), { recursive: true });
    fs.mkdirSync(path.join(base, "outside"));
    fs.writeFileSync(path.join(base, "outside/file"), "");
    fs.writeFileSync(path.join(base, "volume/a/b/file"), "");
    fs.writeFileSync(Buffer.concat([Buffer.from(`${base}/volume/`), Buffer.from([0xff])]), "");
    fs.symlinkSync(path.join(base, "outside"), path.join(base, "volume/link"));
    await relabel(path.join(base, "volume"), label);
    for (const name of ["volume", "volume/a", "volume/a/b/file", "volume/link"])
      expect(labelOf(name)).toBe(`${label}\0`);
    for (const name of ["outside", "outside/file"]) {
      expect(listXattrs(path.join(base, name))).not.toContain("security.selinux");
    }
  });

  test("labels a single file", async () => {
    fs.writeFileSync(path.join(base, "file"), "");
    await relabel(path.join(base, "file"), label);
    expect(labelOf("file")).toBe(`${label}\0`);
  });

  test("leaves alone what has no labels, and refuses the system's own directories", async () => {
    await relabel("/proc/self/comm", label);
    await expect(relabel("/usr", label)).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});
