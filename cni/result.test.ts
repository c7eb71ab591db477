import { parseResult, podAddresses } from "./result";

const text = (more: object) => JSON.stringify({ cniVersion: "1.0.0", ...more });
const sandboxed = {
  interfaces: [
    { name: "br0", mac: "aa:bb:cc:dd:ee:ff" },
    { name: "eth0", sandbox: "/run/netns/x", mtu: 1450 },
  ],
  ips: [
    { address: "10.0.0.1/24", interface: 0 },
    { address: "10.0.0.2/24", gateway: "10.0.0.1", interface: 1 },
    { address: "fd00::2/64", interface: 1 },
    { address: "10.0.0.2/24", interface: 1 },
    { address: "127.0.0.1/8" },
  ],
  routes: [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }, { dst: "::/0" }],
  dns: { nameservers: ["10.0.0.53"] },
};

test("parseResult() brings a result into one shape", () => {
  const { result } = parseResult(text(sandboxed), "1.0.0");
  expect(result).toMatchObject({
    cniVersion: "1.0.0",
    interfaces: [
      { name: "br0", sandbox: "" },
      { name: "eth0", sandbox: "/run/netns/x", mtu: 1450 },
    ],
    routes: sandboxed.routes,
    dns: { nameservers: ["10.0.0.53"], domain: "", search: [], options: [] },
  });
  expect(podAddresses(result)).toEqual(["10.0.0.2", "fd00::2"]);
});

test("podAddresses() takes addresses of no stated interface", () => {
  expect(podAddresses(parseResult(text({ ips: [{ address: "10.1.1.1/32" }] }), "1.0.0").result)).toEqual(["10.1.1.1"]);
});

test("parseResult() puts prevResult into the configuration's version and keeps what it does not know", () => {
  const newer = text({ ips: [{ address: "fd00::2/64", extra: 1 }], more: true });
  expect(parseResult(newer, "0.4.0").raw).toEqual({
    cniVersion: "0.4.0",
    more: true,
    ips: [{ version: "6", address: "fd00::2/64", extra: 1 }],
  });
  const older = '{"ips":[{"version":"4","address":"10.0.0.2/24"}]}';
  expect(parseResult(older, "1.1.0").raw).toEqual({ cniVersion: "1.1.0", ips: [{ address: "10.0.0.2/24" }] });
});

test("parseResult() takes null for what is absent", () => {
  const nothing = text({ interfaces: null, ips: null, routes: null, dns: null });
  expect(parseResult(nothing, "1.0.0").result).toMatchObject({ interfaces: [], ips: [], routes: [] });
});

test.each([
  ["", "it printed nothing"],
  ["\u001b[2Jboo", "it printed no JSON: [2Jboo"],
  ["[1]", "it printed no JSON object"],
  ['{"cniVersion":"0.2.0","ip4":{}}', 'its result is of cniVersion "0.2.0", asked was 1.0.0'],
  [`{"cniVersion":${"[".repeat(5000)}${"]".repeat(5000)}}`, "its result is nested more than 100 levels deep"],
  [text({ ips: {} }), "ips is not a list"],
  [text({ ips: [3] }), "the address is not an object"],
  [text({ ips: [{ address: "10.0.0.1" }] }), '"10.0.0.1" is not an address with a prefix length'],
  [text({ ips: [{ address: "10.0.0.1/33" }] }), '"10.0.0.1/33" is not an address with a prefix length'],
  [text({ ips: [{ address: "10.0.0.1/24", gateway: "x" }] }), 'gateway "x" is not an address'],
  [text({ ips: [{ address: "10.0.0.1/24", interface: 0 }] }), "10.0.0.1/24 is of no interface"],
  [text({ ips: [{ address: "10.0.0.1/24", interface: -1 }] }), "10.0.0.1/24 is of no interface"],
  [text({ interfaces: [{}] }), "an interface has no name"],
  [text({ routes: [{ dst: "default" }] }), 'route to "default"'],
  [text({ dns: { search: [1] } }), "dns.search is not a list of strings"],
])("parseResult() refuses %j", (printed, message) => {
  expect(() => parseResult(printed, "1.0.0")).toThrow(message);
});
