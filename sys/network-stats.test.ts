import { expect, test } from "@jest/globals";
import { RecordingNamespaces } from "./namespaces";
import { parseNetDev, readNetworkStats } from "./network-stats";

const table = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0
  eth0:20000000000000001 200    3    4    0     0          0         0    50000     500    7    8    0     0       0          0
net1.100:5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0
`;

test("parseNetDev() reads each interface, also where the counters touch the name", () => {
  const [lo, eth0, vlan] = parseNetDev(table);
  expect(lo!.name).toBe("lo");
  expect(eth0).toEqual({
    name: "eth0",
    rxBytes: 20000000000000001n,
    rxPackets: 200n,
    rxErrors: 3n,
    rxDropped: 4n,
    txBytes: 50000n,
    txPackets: 500n,
    txErrors: 7n,
    txDropped: 8n,
  });
  expect(vlan).toMatchObject({ name: "net1.100", rxBytes: 5n, txBytes: 6n });
});

test("readNetworkStats() enters the namespace and leaves loopback out; one that is gone is an error", () => {
  const namespaces = new RecordingNamespaces();
  namespaces.pin({ directory: "/run/p", types: ["net"] });
  expect(readNetworkStats(namespaces, "/run/p/net").map(({ name }) => name)).not.toContain("lo");
  expect(namespaces.calls).toContain("inside /run/p/net");
  expect(() => readNetworkStats(namespaces, "/run/q/net")).toThrow("no network namespace");
});
