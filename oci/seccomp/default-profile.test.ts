import { describe, expect, test } from "@jest/globals";
import { defaultProfile } from "./default-profile";

const rulesOf = (name: string, capabilities: string[] = [], architecture = "x64") =>
  defaultProfile(capabilities, architecture).syscalls!.filter((rule) => rule.names.includes(name));

describe("defaultProfile()", () => {
  test("refuses with EPERM what it does not name", () => {
    expect(defaultProfile([], "x64")).toMatchObject({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1 });
    for (const name of ["mount", "unshare", "setns", "bpf", "io_uring_setup", "keyctl", "kexec_load", "userfaultfd"]) {
      expect(rulesOf(name)).toEqual([]);
    }
  });

  test("allows a system call only with its capability", () => {
    expect(rulesOf("chroot")).toEqual([]);
    expect(rulesOf("chroot", ["CAP_SYS_CHROOT"])).toHaveLength(1);
    expect(rulesOf("unshare", ["CAP_SYS_ADMIN"])).toHaveLength(1);
  });

  test("allows clone without namespaces and hides clone3, unless the container is an administrator", () => {
    expect(rulesOf("clone")[0]!.args).toEqual([{ index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }]);
    expect(rulesOf("clone", [], "s390x")[0]!.args![0]!.index).toBe(1);
    expect(rulesOf("clone3")).toEqual([{ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }]);
    expect(rulesOf("clone3", ["CAP_SYS_ADMIN"])[0]!.action).toBe("SCMP_ACT_ALLOW");
  });

  test("has no rule that lets AF_ALG or AF_VSOCK pass", () => {
    const passes = (family: number) =>
      rulesOf("socket").some(({ args }) => {
        const { op, value } = args![0]!;
        if (op === "SCMP_CMP_LT") return family < value;
        return op === "SCMP_CMP_GT" ? family > value : family === value;
      });
    expect([1, 2, 10, 16, 39, 44].map(passes)).toEqual([true, true, true, true, true, true]);
    expect([38, 40].map(passes)).toEqual([false, false]);
  });

  test("names the architectures of the processor, and is one object for the same capabilities", () => {
    expect(defaultProfile([], "arm64").architectures).toEqual(["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
    expect(defaultProfile([], "mystery").architectures).toBeUndefined();
    expect(defaultProfile(["CAP_CHOWN"], "x64")).toBe(defaultProfile([], "x64"));
  });
});
