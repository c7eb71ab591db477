import { checkNetworkConfig, parseNetworkConfig } from "./network-config";

const list = (more: object) =>
  JSON.stringify({ cniVersion: "1.0.0", name: "n", plugins: [{ type: "bridge" }], ...more });

test("parseNetworkConfig() reads a list with its switches, as booleans or as text", () => {
  const text = list({ disableCheck: "True", disableGC: true, loadOnlyInlinedPlugins: "false", extra: 1 });
  expect(parseNetworkConfig(text, true)).toEqual({
    name: "n",
    cniVersion: "1.0.0",
    disableCheck: true,
    disableGC: true,
    loadOnlyInlinedPlugins: false,
    plugins: [{ type: "bridge" }],
  });
});

test("parseNetworkConfig() makes a list of one of a single configuration", () => {
  const config = parseNetworkConfig('{"cniVersion":"0.3.1","name":"x","type":"ptp","mtu":9000}', false);
  expect(config).toMatchObject({ name: "x", cniVersion: "0.3.1", loadOnlyInlinedPlugins: true });
  expect(config.plugins).toEqual([{ cniVersion: "0.3.1", name: "x", type: "ptp", mtu: 9000 }]);
});

test.each([
  [{ cniVersions: ["0.4.0", "1.1.0", "2.0.0"] }, "1.1.0"],
  [{ cniVersion: "3.0.0", cniVersions: ["0.4.0"] }, "0.4.0"],
  [{ cniVersion: "0.3.0" }, "0.3.0"],
])("parseNetworkConfig() takes the highest known version of %j", (more, version) => {
  expect(parseNetworkConfig(list(more), true).cniVersion).toBe(version);
});

test.each([
  ["", "line 1: "],
  ["[]", "not a JSON object"],
  ['{"a":1,\n\n"b":}', "line 3: "],
  ['{"name": "x",\n  "plugins": [\n    {"type": "bridge",}\n  ]\n}', "line 3: "],
  ['{"a":1,\n"b":2', "line 2: "],
  [list({ cniVersion: "0.2.0" }), "cniVersion 0.2.0 is not supported, only 0.3.0, "],
  [list({ cniVersion: undefined }), "no cniVersion is given, which means 0.1.0"],
  [list({ cniVersion: 1 }), "cniVersion is not a string"],
  [list({ cniVersions: "1.0.0" }), "cniVersions is not a list of strings"],
  [list({ name: undefined }), "name (missing)"],
  [list({ name: "../x" }), 'name "../x"'],
  [list({ plugins: {} }), "plugins is not a list"],
  [list({ plugins: [] }), "plugins is empty"],
  [list({ plugins: undefined, loadOnlyInlinedPlugins: true }), "plugins is empty"],
  [list({ plugins: [{ type: "bridge" }, 7] }), "plugin 2: not a JSON object"],
  [list({ plugins: [{}] }), "plugin 1: type (missing)"],
  [list({ plugins: [{ type: "../../x" }] }), 'type "../../x" is not the bare name'],
  [list({ plugins: [{ type: ".." }] }), 'type ".." is not the bare name'],
  [list({ plugins: [{ type: "a\0b" }] }), "is not the bare name"],
  [list({ plugins: [{ type: "\u001b[31m" }] }), "is not the bare name"],
  [list({ plugins: [{ type: "x".repeat(256) }] }), "is not the bare name"],
  [list({ name: "x\u007f" }), 'name "x "'],
  [list({ plugins: [{ type: "bridge", ipam: { type: "/bin/sh" } }] }), 'type "/bin/sh" is not the bare name'],
  [list({ plugins: [{ type: "bridge", capabilities: [] }] }), "capabilities is not an object"],
  [list({ disableGC: "maybe" }), "disableGC is neither true nor false"],
])("parseNetworkConfig() refuses %j", (text, message) => {
  expect(() => parseNetworkConfig(text, true)).toThrow(message);
});

test("checkNetworkConfig() brings back what was kept", () => {
  const config = parseNetworkConfig(list({ disableCheck: true }), true);
  expect(checkNetworkConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
  expect(() => checkNetworkConfig(undefined)).toThrow("not a JSON object");
});
