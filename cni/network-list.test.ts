import { newSandboxId } from "../api/ids";
import type { Attachment } from "./attachment";
import type { CniVersion } from "./cni-version";
import { addToNetwork, askStatus, checkInNetwork, collectGarbage, deleteFromNetwork } from "./network-list";
import type { PluginCall } from "./plugin";

const address = (n: number) => ({ ips: [{ address: `10.0.0.${n}/24` }] });

function attachment(cniVersion: CniVersion, more: Partial<Attachment["network"]> = {}): Attachment {
  return {
    sandboxId: newSandboxId(),
    network: {
      name: "n",
      cniVersion,
      disableCheck: false,
      disableGC: false,
      loadOnlyInlinedPlugins: true,
      plugins: [{ type: "a", own: 1, capabilities: { dns: true } }, { type: "b" }],
      ...more,
    },
    netnsPath: "/ns",
    ifName: "eth0",
    args: "X=1",
    capabilityArgs: { dns: { servers: [] } },
  };
}

function recorder(fails: (call: PluginCall) => boolean = () => false) {
  const calls: PluginCall[] = [];
  return {
    calls,
    names: () => calls.map(({ command, type }) => `${command} ${type}`),
    call: async (call: PluginCall) => {
      calls.push(call);
      if (fails(call)) throw new Error(`${call.type} failed`);
      return call.command === "ADD" ? JSON.stringify(address(calls.length)) : "";
    },
  };
}

test("addToNetwork() chains the results and derives each plugin's configuration", async () => {
  const { calls, call } = recorder();
  const from = attachment("1.0.0");
  const { result } = await addToNetwork(from, call);
  expect(result.ips).toEqual(address(2).ips);
  expect(calls.map(({ config }) => config)).toEqual([
    {
      ...from.network.plugins[0],
      name: "n",
      cniVersion: "1.0.0",
      runtimeConfig: { dns: { servers: [] } },
    },
    { type: "b", name: "n", cniVersion: "1.0.0", prevResult: { cniVersion: "1.0.0", ...address(1) } },
  ]);
  expect(calls[0]!.subject).toEqual({ sandboxId: from.sandboxId, netnsPath: "/ns", ifName: "eth0", args: "X=1" });
});

test("addToNetwork() stops at the first failure", async () => {
  const { names, call } = recorder(({ type }) => type === "a");
  await expect(addToNetwork(attachment("1.0.0"), call)).rejects.toThrow("a failed");
  expect(names()).toEqual(["ADD a"]);
});

test("addToNetwork() names the plugin whose result is no result", async () => {
  await expect(addToNetwork(attachment("1.0.0"), async () => "boo")).rejects.toThrow(
    "CNI plugin a (ADD, network n): it printed no JSON: boo",
  );
});

test.each<[CniVersion, boolean]>([
  ["0.3.1", false],
  ["0.4.0", true],
])("deleteFromNetwork() goes in reverse; in version %s with the result: %s", async (version, hasResult) => {
  const { calls, names, call } = recorder();
  await deleteFromNetwork({ ...attachment(version), result: address(9) }, call);
  expect(names()).toEqual(["DEL b", "DEL a"]);
  expect(calls.map(({ config }) => config["prevResult"])).toEqual(Array(2).fill(hasResult ? address(9) : undefined));
});

test("deleteFromNetwork() stops at a failure, so that what it needs is still there for the retry", async () => {
  const { names, call } = recorder(({ type }) => type === "b");
  await expect(deleteFromNetwork(attachment("1.0.0"), call)).rejects.toThrow("b failed");
  expect(names()).toEqual(["DEL b"]);
});

test("checkInNetwork() runs where the version and the list allow it", async () => {
  const { names, call } = recorder();
  await checkInNetwork({ ...attachment("0.3.1"), result: address(1) }, call);
  await checkInNetwork({ ...attachment("1.0.0", { disableCheck: true }), result: address(1) }, call);
  await checkInNetwork(attachment("1.0.0"), call);
  expect(names()).toEqual([]);
  await checkInNetwork({ ...attachment("0.4.0"), result: address(1) }, call);
  expect(names()).toEqual(["CHECK a", "CHECK b"]);
});

test("askStatus() asks plugins of 1.1.0 alone, without a subject", async () => {
  const { calls, names, call } = recorder(({ type }) => type === "b");
  await askStatus(attachment("1.0.0").network, call);
  await expect(askStatus(attachment("1.1.0").network, call)).rejects.toThrow("b failed");
  expect(names()).toEqual(["STATUS a", "STATUS b"]);
  expect(calls[0]!.subject).toBeUndefined();
});

test("collectGarbage() tells every plugin what is valid, and goes on past failures", async () => {
  const { calls, names, call } = recorder(({ type }) => type === "a");
  const valid = [{ containerID: "x", ifname: "eth0" }];
  expect(await collectGarbage(attachment("1.0.0").network, valid, call)).toEqual([]);
  expect(await collectGarbage(attachment("1.1.0", { disableGC: true }).network, valid, call)).toEqual([]);
  expect(await collectGarbage(attachment("1.1.0").network, valid, call)).toEqual(["a failed"]);
  expect(names()).toEqual(["GC a", "GC b"]);
  expect(calls[1]!.config).toMatchObject({ "cni.dev/valid-attachments": valid, "cni.dev/attachments": valid });
});
