import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import type { SecurityProfile } from "../../api/messages";
import { apparmorProfile } from "./apparmor";
import { hiddenPaths } from "./hidden-paths";
import { specSeccomp } from "./seccomp";
import { selinuxLabels } from "./selinux";

const seccomp = (field: SecurityProfile | null, deprecated = "", privileged = false, supported = true) =>
  specSeccomp({
    context: { seccomp: field, seccompProfilePath: deprecated, privileged },
    supported,
    capabilities: [],
  });

describe("specSeccomp()", () => {
  test("is unconfined when nothing is asked, when asked so, and when privileged", async () => {
    expect(await seccomp(null)).toBeUndefined();
    expect(await seccomp({ profileType: 1, localhostRef: "" })).toBeUndefined();
    expect(await seccomp(null, "unconfined")).toBeUndefined();
    expect(await seccomp({ profileType: 0, localhostRef: "" }, "", true)).toBeUndefined();
  });

  test("is the default profile for an empty struct and the deprecated words", async () => {
    for (const wanted of [seccomp({ profileType: 0, localhostRef: "" }), seccomp(null, "runtime/default")]) {
      expect((await wanted)?.defaultAction).toBe("SCMP_ACT_ERRNO");
    }
    expect(await seccomp(null, "docker/default")).toBeDefined();
  });

  test("is the field's where the deprecated text says something else", async () => {
    expect(await seccomp({ profileType: 1, localhostRef: "" }, "runtime/default")).toBeUndefined();
    expect(await seccomp({ profileType: 0, localhostRef: "" }, "unconfined")).toBeDefined();
  });

  test("refuses profiles that are not absolute, not there, or not known", async () => {
    await expect(seccomp({ profileType: 2, localhostRef: "x.json" })).rejects.toThrow(/not absolute/);
    await expect(seccomp(null, "localhost//none/at/all")).rejects.toThrow(/no such file/);
    await expect(seccomp({ profileType: 2, localhostRef: "" })).rejects.toThrow(/no localhost_ref/);
    await expect(seccomp({ profileType: 0, localhostRef: "/x" })).rejects.toThrow(/not of the type Localhost/);
    await expect(seccomp(null, "mine")).rejects.toThrow(/unknown/);
    await expect(seccomp({ profileType: 9, localhostRef: "" })).rejects.toThrow(/unknown/);
  });

  test("fails loudly without seccomp in the kernel", async () => {
    await expect(seccomp({ profileType: 0, localhostRef: "" }, "", false, false)).rejects.toMatchObject({
      code: "FailedPrecondition",
    });
    expect(await seccomp(null, "", false, false)).toBeUndefined();
  });
});

describe("apparmorProfile()", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-apparmor-"));
  const profilesFile = path.join(directory, "profiles");
  fs.writeFileSync(profilesFile, "mine (enforce)\nberth-default (enforce)\n");
  afterAll(() => fs.rmSync(directory, { recursive: true }));
  const of = (field: SecurityProfile | null, deprecated = "", supported = true, privileged = false) =>
    apparmorProfile({
      context: { apparmor: field, apparmorProfile: deprecated, privileged },
      supported,
      defaultProfile: "berth-default",
      profilesFile,
    });

  test("is the default one unless privileged or told otherwise", async () => {
    expect(await of(null)).toBe("berth-default");
    expect(await of(null, "", true, true)).toBeUndefined();
    expect(await of({ profileType: 1, localhostRef: "" })).toBe("unconfined");
    expect(await of(null, "localhost/mine")).toBe("mine");
    expect(await of({ profileType: 2, localhostRef: "localhost/mine" }, "", true, true)).toBe("mine");
  });

  test("is none where nothing is asked for and the default could not be loaded, and refuses to be asked for it", async () => {
    const without = { supported: true, profilesFile };
    const context = (apparmor: SecurityProfile | null) => ({ apparmor, apparmorProfile: "", privileged: false });
    expect(await apparmorProfile({ ...without, context: context(null) })).toBeUndefined();
    const asked = apparmorProfile({ ...without, context: context({ profileType: 0, localhostRef: "" }) });
    await expect(asked).rejects.toMatchObject({ code: "FailedPrecondition" });
  });

  test("throws for a profile that is not loaded, and for any by name without AppArmor", async () => {
    await expect(of({ profileType: 2, localhostRef: "other" })).rejects.toThrow(/not loaded/);
    await expect(of({ profileType: 2, localhostRef: "mine" }, "", false)).rejects.toMatchObject({
      code: "FailedPrecondition",
    });
    expect(await of({ profileType: 0, localhostRef: "" }, "", false)).toBeUndefined();
  });
});

describe("selinuxLabels()", () => {
  test("fills in what is left out, of the first who has any", () => {
    const empty = { user: "", role: "", type: "", level: "" };
    expect(selinuxLabels(true, [null, empty, { ...empty, level: "s0:c1,c2" }])).toEqual({
      process: "system_u:system_r:container_t:s0:c1,c2",
      mount: "system_u:object_r:container_file_t:s0:c1,c2",
    });
    expect(selinuxLabels(false, [{ ...empty, level: "s0" }])).toEqual({});
    expect(() => selinuxLabels(true, [{ ...empty, type: "a:b\n" }])).toThrow(/SELinux type/);
  });
});

describe("hiddenPaths()", () => {
  test("has exactly the request's lists, and none when privileged", () => {
    const lists = { maskedPaths: ["/proc/keys"], readonlyPaths: ["/proc/sys"] };
    const none = { maskedPaths: [], readonlyPaths: [] };
    expect(hiddenPaths({ ...lists, privileged: false })).toEqual(lists);
    expect(hiddenPaths({ ...none, privileged: false })).toEqual(none);
    expect(hiddenPaths({ ...lists, privileged: true })).toEqual(none);
    expect(hiddenPaths(null)).toEqual(none);
    expect(() => hiddenPaths({ ...lists, maskedPaths: ["x"], privileged: false })).toThrow(/not absolute/);
  });
});
