import path from "node:path";
import net from "node:net";
import type { ErrorCode } from "../../../api/errors";
import type { SandboxId } from "../../../api/ids";
import { AttachmentCache } from "../../../cni/attachment-cache";
import { capabilityArgs, type PodTraits } from "../../../cni/capabilities";
import { addToNetwork, checkInNetwork, deleteFromNetwork } from "../../../cni/network-list";
import { type NetworkConfig, parseNetworkConfig, parsePluginConfig } from "../../../cni/network-config";
import { readPluginError } from "../../../cni/plugin-error";
import { parseResult, podAddresses } from "../../../cni/result";
import { supportedVersions } from "../../../cni/cni-version";
import { workDirectory as directory } from "../canary";
import { checkError } from "../check-error";
import { type FuzzTarget, promise } from "../target";

const id = "ab".repeat(32) as SandboxId;
const cache = new AttachmentCache(path.join(directory, "cache"));
const pods: PodTraits = { annotations: {}, portMappings: [] };
const network: NetworkConfig = parseNetworkConfig('{"name":"n","cniVersion":"1.0.0","plugins":[{"type":"p"}]}', true);

/**
 * What plugins print and what administrators write, as one object `{ result, config, annotations, ports }`; a text that
 * is none is taken for a result and a configuration both. A result that is taken can be kept and passed on.
 */
export const target: FuzzTarget = {
  form: "json",
  seeds,
  async run(input) {
    const { result, config, traits } = partsOf(input);
    readPluginError({ stdout: result, stderr: result, exitCode: 1 } as Parameters<typeof readPluginError>[0]);
    const version = supportedVersions[input.length % supportedVersions.length]!;
    const parsed = attempt(["Internal"], () => parseResult(result, version));
    if (parsed) {
      promise(parsed.result.cniVersion === version, () => "a result is of another version than asked");
      for (const address of podAddresses(parsed.result)) {
        promise(net.isIP(address) !== 0, () => `${JSON.stringify(address)} is no address`);
      }
      const again = parseResult(JSON.stringify(parsed.raw), version);
      promise(JSON.stringify(again.result) === JSON.stringify(parsed.result), () => "a result changes when passed on");
    }
    attempt(["InvalidArgument"], () => capabilityArgs(traits, []));
    attempt(["InvalidArgument"], () => parsePluginConfig(config));
    for (const isList of [true, false]) {
      const network = attempt(["InvalidArgument"], () => parseNetworkConfig(config, isList));
      // a list without plugins is read where a directory may have them
      if (network && network.plugins.length > 0) await attach(network, result, traits);
    }
    await attach(network, result, traits);
  },
};

/** ADD, the record on disk, CHECK and DEL with it, with plugins that all print `result`. */
async function attach(network: NetworkConfig, result: string, traits: PodTraits): Promise<void> {
  for (const { type } of network.plugins) {
    promise(path.join("/bin", type) === `/bin/${type}`, () => `the plugin ${JSON.stringify(type)} leads elsewhere`);
    promise(path.dirname(path.join("/bin", type)) === "/bin", () => `the plugin ${type} leads out`);
  }
  promise(path.basename(network.name) === network.name, () => `the network ${JSON.stringify(network.name)} is a path`);
  const given = attempt(["InvalidArgument"], () => capabilityArgs(traits, [])) ?? {};
  const attachment = { sandboxId: id, network, netnsPath: "/n", ifName: "eth0", args: "", capabilityArgs: given };
  const call = async ({ config }: { config: unknown }) => {
    JSON.stringify(config);
    return result;
  };
  try {
    const added = await addToNetwork(attachment, call);
    await cache.write({ ...attachment, result: added.raw });
  } catch (error) {
    checkError(error, ["Internal", "FailedPrecondition"]);
    await cache.write(attachment);
  }
  const read = await cache.read(id);
  promise(
    JSON.stringify(read.network) === JSON.stringify(JSON.parse(JSON.stringify(network))),
    () => "a record changes",
  );
  await checkInNetwork(read, call);
  await deleteFromNetwork(read, call);
}

function attempt<T>(codes: ErrorCode[], work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    checkError(error, codes);
    return undefined;
  }
}

function partsOf(input: Buffer): { result: string; config: string; traits: PodTraits } {
  const text = input.toString("utf8");
  try {
    const { result, config, annotations, ports } = JSON.parse(text) as Record<string, unknown>;
    const texts = Object.entries(annotations ?? {}).filter(
      (pair): pair is [string, string] => typeof pair[1] === "string",
    );
    const mappings = (Array.isArray(ports) ? ports : []).flatMap((port) =>
      typeof port === "object" && port !== null
        ? [{ protocol: 0, containerPort: 0, hostPort: 0, hostIp: "", ...port }]
        : [],
    );
    const typed = mappings.filter(
      ({ protocol, containerPort, hostPort, hostIp }) =>
        [protocol, containerPort, hostPort].every((value) => typeof value === "number") && typeof hostIp === "string",
    );
    const write = (value: unknown) => JSON.stringify(value) ?? "";
    return {
      result: write(result),
      config: write(config),
      traits: { annotations: Object.fromEntries(texts), portMappings: typed },
    };
  } catch {
    return { result: text, config: text, traits: pods };
  }
}

function seeds(): Buffer[] {
  const result = {
    cniVersion: "1.0.0",
    interfaces: [
      { name: "br0", mac: "aa:bb:cc:dd:ee:ff" },
      { name: "eth0", sandbox: "/run/netns/x", mtu: 1450 },
    ],
    ips: [
      { address: "10.0.0.2/24", gateway: "10.0.0.1", interface: 1 },
      { address: "fd00::2/64", interface: 1 },
    ],
    routes: [{ dst: "0.0.0.0/0", gw: "10.0.0.1" }, { dst: "::/0" }],
    dns: { nameservers: ["10.0.0.53"], domain: "d", search: ["s"], options: ["ndots:5"] },
  };
  const config = {
    cniVersion: "1.1.0",
    cniVersions: ["0.4.0", "1.0.0"],
    name: "pods",
    disableCheck: "true",
    loadOnlyInlinedPlugins: true,
    plugins: [
      { type: "bridge", ipam: { type: "host-local", ranges: [[{ subnet: "10.0.0.0/24" }]] } },
      { type: "portmap", capabilities: { portMappings: true, bandwidth: true } },
    ],
  };
  const annotations = { "kubernetes.io/ingress-bandwidth": "10M", "kubernetes.io/egress-bandwidth": "1.5Gi", a: "b" };
  const ports = [{ protocol: 1, containerPort: 80, hostPort: 8080, hostIp: "127.0.0.1" }];
  return [
    { result, config, annotations, ports },
    { result: { ...result, cniVersion: "0.3.1", ips: [{ version: "4", address: "10.0.0.2/24" }] }, config },
    {
      result: { code: 7, msg: "no", details: "because" },
      config: { cniVersion: "0.4.0", name: "one", type: "loopback" },
    },
  ]
    .map((each) => Buffer.from(JSON.stringify(each)))
    .concat(Buffer.from("not json"), Buffer.from(JSON.stringify(config, null, 2)));
}
