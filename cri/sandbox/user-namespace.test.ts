import { describe, expect, test } from "@jest/globals";
import { codec, type Init, type NamespaceOption, type PodSandboxConfig } from "../../api/messages";
import type { Services } from "../services";
import { sandboxModes } from "./namespace-modes";
import { requireUserNamespaces, userMappings, userNamespaceObstacle } from "./user-namespace";

const line = { containerId: 0, hostId: 65536, length: 65536 };
const mappingsOf = (namespaceOptions: Init<NamespaceOption>) => {
  const message = codec("PodSandboxConfig");
  const config: PodSandboxConfig = message.decode(message.encode({ linux: { securityContext: { namespaceOptions } } }));
  return userMappings(config, sandboxModes(config));
};
const pod = { mode: 0, uids: [line], gids: [line] };

describe("userMappings()", () => {
  test("gives the line of users and that of groups", () => {
    const gids = [{ ...line, hostId: 2 ** 32 - 1 - 65536 }];
    expect(mappingsOf({ usernsOptions: { ...pod, gids } })).toMatchObject({ uids: [line], gids });
  });

  test("gives none where the pod has the host's", () => {
    expect(mappingsOf({})).toBeUndefined();
    expect(mappingsOf({ network: 2, usernsOptions: { mode: 2 } })).toBeUndefined();
  });

  test.each<[string, Init<NamespaceOption>, RegExp]>([
    ["no mapping", { usernsOptions: { mode: 0 } }, /uids has 0 lines/],
    ["mappings of the host's", { usernsOptions: { ...pod, mode: 2 } }, /takes no mappings/],
    ["two lines", { usernsOptions: { ...pod, gids: [line, line] } }, /gids has 2 lines/],
    ["an unmapped 0", { usernsOptions: { ...pod, uids: [{ ...line, containerId: 1 }] } }, /uids does not map the ID 0/],
    ["an empty line", { usernsOptions: { ...pod, uids: [{ ...line, length: 0 }] } }, /no range/],
    ["IDs past the last", { usernsOptions: { ...pod, uids: [{ ...line, hostId: 2 ** 32 - 65536 }] } }, /no range/],
    ["mode CONTAINER", { usernsOptions: { mode: 1 } }, /neither POD nor NODE/],
    ["mode TARGET", { usernsOptions: { mode: 3 } }, /neither POD nor NODE/],
    ["the host's network", { network: 2, usernsOptions: pod }, /the host's network namespace/],
    ["the host's processes", { pid: 2, usernsOptions: pod }, /the host's PID namespace/],
    ["the host's IPC", { ipc: 2, usernsOptions: pod }, /the host's IPC namespace/],
  ])("refuses %s", (_, options, reason) => {
    expect(() => mappingsOf(options)).toThrow(reason);
    expect(() => mappingsOf(options)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });
});

describe("userNamespaceObstacle()", () => {
  const services = (idMappedMounts: boolean, noUserNamespaces?: string) =>
    ({
      runtimes: { get: () => ({ name: "crun", features: { version: "1.8.1", idMappedMounts } }) },
      noUserNamespaces,
    }) as unknown as Services;

  test("is the node's, or else the runtime's", () => {
    expect(userNamespaceObstacle(services(true), "")).toBeUndefined();
    expect(userNamespaceObstacle(services(true, "no room"), "")).toBe("no room");
    expect(userNamespaceObstacle(services(false), "")).toContain('"crun" (version 1.8.1)');
  });

  test("keeps pods from having one", () => {
    expect(() => requireUserNamespaces(services(true), "")).not.toThrow();
    expect(() => requireUserNamespaces(services(false), "")).toThrow(
      expect.objectContaining({ code: "FailedPrecondition" }),
    );
  });
});
