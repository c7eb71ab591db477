import { describe, expect, test } from "@jest/globals";
import { checkSysctls } from "./sysctls";

const own = { hostNetwork: false, hostIpc: false };

describe("checkSysctls()", () => {
  test("gives the files of namespaced keys, with dots or slashes", () => {
    const files = (key: string) => checkSysctls({ [key]: "1" }, own)[0]!.file;
    expect(files("net.ipv4.ip_forward")).toBe("net/ipv4/ip_forward");
    expect(files("net/ipv4/conf/eth0.1/forwarding")).toBe("net/ipv4/conf/eth0.1/forwarding");
    expect(files("net.ipv4.conf.eth0/1.forwarding")).toBe("net/ipv4/conf/eth0.1/forwarding");
    expect(files("kernel.shm_rmid_forced")).toBe("kernel/shm_rmid_forced");
    expect(files("fs.mqueue.msg_max")).toBe("fs/mqueue/msg_max");
  });

  test.each([
    "kernel.core_pattern",
    "vm.swappiness",
    "net",
    "net...x",
    "net/../kernel/x",
    "",
    "kernel.sem.x",
    "/net/x",
  ])("refuses the key %j", (key) => {
    expect(() => checkSysctls({ [key]: "1" }, own)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });

  test.each(["1\n2", "1+kernel.core_pattern=|x", "a\0"])("refuses the value %j", (value) => {
    expect(() => checkSysctls({ "net.a": value }, own)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });

  test("refuses keys of the host's namespaces", () => {
    expect(() => checkSysctls({ "net.a": "1" }, { hostNetwork: true, hostIpc: false })).toThrow(/host's network/);
    expect(() => checkSysctls({ "kernel.sem": "1" }, { hostNetwork: false, hostIpc: true })).toThrow(/host's IPC/);
  });
});
