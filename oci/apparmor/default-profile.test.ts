import { expect, test } from "@jest/globals";
import { defaultProfile } from "./default-profile";

test("defaultProfile() lets its like, the host and the programs that kill containers signal it", () => {
  const text = defaultProfile({ abi: undefined, daemonLabel: undefined });
  for (const peer of ["unconfined", "crun", "runc"]) expect(text).toContain(`signal (receive) peer="${peer}",`);
  expect(text).toContain("signal (send, receive) peer=berth-default,");
  expect(text).toContain("ptrace (read, trace) peer=berth-default,");
  expect(text).not.toMatch(/undefined|abi </);
});

test("defaultProfile() names a confined daemon once, and the policy's version first", () => {
  const text = defaultProfile({ abi: "abi/3.0", daemonLabel: "/opt/berth/bin/berth" });
  expect(text.startsWith("abi <abi/3.0>,\n")).toBe(true);
  expect(text).toContain('signal (receive) peer="/opt/berth/bin/berth",');
  expect(defaultProfile({ abi: undefined, daemonLabel: "runc" }).match(/peer="runc"/g)).toHaveLength(1);
});

test("defaultProfile() is one profile of rules that each end in a comma", () => {
  const [head, ...lines] = defaultProfile({ abi: undefined, daemonLabel: undefined }).trimEnd().split("\n");
  expect(head).toBe("profile berth-default flags=(attach_disconnected, mediate_deleted) {");
  expect(lines.pop()).toBe("}");
  for (const line of lines.filter((each) => each !== "" && !each.includes("#"))) expect(line).toMatch(/^ {2}\S.*,$/);
});
