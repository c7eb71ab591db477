import { describe, expect, test } from "@jest/globals";
import { parseSpec } from "./parse-spec";

const device = { name: "one", containerEdits: { env: ["A=b"] } };
const parse = (over: object) =>
  parseSpec(JSON.stringify({ cdiVersion: "1.1.0", kind: "vendor.com/class", devices: [device], ...over }), "/a.json");
const edits = (containerEdits: object, over: object = {}) => parse({ containerEdits, ...over }).edits;

describe("parseSpec()", () => {
  test("reads every field", () => {
    expect(
      edits({
        env: ["FOO=bar=baz"],
        deviceNodes: [
          { path: "/dev/a" },
          { path: "/dev/b", type: "u", major: 1, permissions: "none", fileMode: 0o20640 },
        ],
        mounts: [{ hostPath: "/h", containerPath: "/c", type: "bind", options: ["ro"] }],
        hooks: [{ hookName: "createContainer", path: "/bin/hook", args: ["hook"], timeout: 5 }],
        additionalGids: [0, 44],
        intelRdt: { closID: "class", schemata: ["L3:0=f"] },
        netDevices: [{ hostInterfaceName: "eth5", name: "eth1" }],
      }),
    ).toEqual({
      env: ["FOO=bar=baz"],
      deviceNodes: [
        expect.objectContaining({ path: "/dev/a", major: 0, permissions: "rwm" }),
        expect.objectContaining({ path: "/dev/b", type: "c", major: 1, permissions: "", fileMode: 0o640 }),
      ],
      mounts: [{ hostPath: "/h", containerPath: "/c", type: "bind", options: ["ro"] }],
      hooks: [{ hookName: "createContainer", path: "/bin/hook", args: ["hook"], env: [], timeout: 5 }],
      additionalGids: [44],
      intelRdt: { closID: "class", schemata: ["L3:0=f"] },
      netDevices: [{ hostInterfaceName: "eth5", name: "eth1" }],
    });
  });

  test("reads YAML as Go does: octal modes, names that look like times or numbers", () => {
    const text = [
      "cdiVersion: 0.6.0",
      "kind: vendor.com/class",
      "devices:",
      "- name: 0:1",
      "- name: 7",
      "  containerEdits:",
      "    deviceNodes: [{path: /dev/a, fileMode: 0640}]",
    ].join("\n");
    const { devices } = parseSpec(text, "/a.yaml");
    expect([...devices.keys()]).toEqual(["0:1", "7"]);
    expect(devices.get("7")!.deviceNodes[0]!.fileMode).toBe(0o640);
  });

  test.each([
    ["1.0.0", { netDevices: [{ hostInterfaceName: "a", name: "b" }] }],
    ["1.0.0", { intelRdt: { enableMonitoring: true } }],
    ["0.6.0", { intelRdt: { closID: "a" } }],
    ["0.6.0", { additionalGids: [1] }],
    ["0.4.0", { deviceNodes: [{ path: "/dev/a", hostPath: "/dev/b" }] }],
    ["0.3.0", { mounts: [{ hostPath: "/a", containerPath: "/b", type: "bind" }] }],
  ])("version %s has no %j", (cdiVersion, containerEdits) => {
    expect(() => edits(containerEdits, { cdiVersion })).toThrow(/needs cdiVersion/);
    expect(() => edits(containerEdits)).not.toThrow();
  });

  test.each<[string, object]>([
    ["an unknown version", { cdiVersion: "9.0.0" }],
    ["no version", { cdiVersion: undefined }],
    ["a kind without a vendor", { kind: "class" }],
    ["a dot in the class of an early version", { kind: "v.com/a.b", cdiVersion: "0.5.0" }],
    ["no devices", { devices: [] }],
    ["a device twice", { devices: [device, device] }],
    ["a device without a name", { devices: [{ containerEdits: {} }] }],
    ["an unknown field", { privileged: true }],
    ["a list for an object", { containerEdits: [] }],
    ["a variable without =", { containerEdits: { env: ["A"] } }],
    ["a variable with NUL", { containerEdits: { env: ["A=\0"] } }],
    ["a node without a path", { containerEdits: { deviceNodes: [{}] } }],
    ["a relative node", { containerEdits: { deviceNodes: [{ path: "dev/a" }] } }],
    ["a node of an unknown type", { containerEdits: { deviceNodes: [{ path: "/a", type: "x" }] } }],
    ["a negative number", { containerEdits: { deviceNodes: [{ path: "/a", major: -1 }] } }],
    ["odd permissions", { containerEdits: { deviceNodes: [{ path: "/a", permissions: "rx" }] } }],
    ["a mount without a host path", { containerEdits: { mounts: [{ containerPath: "/a" }] } }],
    ["an unknown hook", { containerEdits: { hooks: [{ hookName: "always", path: "/a" }] } }],
    ["a hook with a relative path", { containerEdits: { hooks: [{ hookName: "poststop", path: "a" }] } }],
    ["a class of service that is a path", { containerEdits: { intelRdt: { closID: "../a" } } }],
    ["an interface with a slash", { containerEdits: { netDevices: [{ hostInterfaceName: "a/b", name: "c" }] } }],
    ["a group that is too large", { containerEdits: { additionalGids: [2 ** 32] } }],
  ])("refuses %s", (_what, over) => {
    expect(() => parse(over)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });

  test("refuses what is no JSON, no YAML, and references that multiply", () => {
    expect(() => parseSpec("{", "/a.json")).toThrow(/neither JSON nor YAML/);
    expect(() => parseSpec("a: [", "/a.yaml")).toThrow(/neither JSON nor YAML/);
    expect(() => parseSpec("", "/a.yaml")).toThrow(/not an object/);
    const lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"];
    for (let i = 1; i < 12; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(",")}]`,
      );
    expect(() => parseSpec(lines.join("\n"), "/a.yaml")).toThrow(/neither JSON nor YAML/);
  });

  test("refuses endless nesting without harm", () => {
    expect(() => parseSpec("[".repeat(500_000), "/a.yaml")).toThrow();
    expect(() => parseSpec(`${'{"a":'.repeat(100_000)}`, "/a.json")).toThrow();
  });
});
