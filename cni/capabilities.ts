import net from "node:net";
import { BerthError, during } from "../api/errors";
import { isJsonObject, type JsonObject } from "./json-object";
import type { PluginConfig } from "./network-config";
import { parseQuantity } from "./quantity";
import { isCidr } from "./result";

/** As CRI has it (runtime.v1 PortMapping). */
export interface PodPortMapping {
  /** 0 TCP, 1 UDP, 2 SCTP. */
  protocol: number;
  containerPort: number;
  /** 0 is no mapping. */
  hostPort: number;
  /** Empty for every address of the host. */
  hostIp: string;
}

export interface PodDns {
  servers: string[];
  searches: string[];
  options: string[];
}

/** What plugins can be told of a pod beyond its names. */
export interface PodTraits {
  annotations: Record<string, string>;
  portMappings: PodPortMapping[];
  dns?: PodDns | null;
  cgroupPath?: string;
}

const protocols = ["tcp", "udp", "sctp"];
// What the kubelet takes for sensible (pkg/util/bandwidth): from one kbit/s to one Pbit/s.
const rateBounds = { least: 1e3, most: 1e15 };
// The bandwidth plugin refuses 2^35 bits and more; containerd sends this too.
const burstBits = 2 ** 32 - 1;

/**
 * The values of the well-known capabilities for one pod (CNI conventions, "Dynamic Plugin specific fields"); a
 * plugin gets those that it declares. Bandwidth is in bits a second. Throws InvalidArgument for what cannot be meant.
 */
export function capabilityArgs(pod: PodTraits, podCidrs: string[]): JsonObject {
  const portMappings = pod.portMappings.filter(({ hostPort }) => hostPort !== 0).map(portMapping);
  const bandwidth = podBandwidth(pod.annotations);
  const args: JsonObject = {};
  if (portMappings.length > 0) args["portMappings"] = portMappings;
  if (bandwidth) args["bandwidth"] = bandwidth;
  if (pod.dns) args["dns"] = { servers: pod.dns.servers, searches: pod.dns.searches, options: pod.dns.options };
  if (podCidrs.length > 0) args["ipRanges"] = podCidrs.map((subnet) => [{ subnet }]);
  if (pod.cgroupPath) args["cgroupPath"] = pod.cgroupPath;
  if (Object.keys(pod.annotations).length > 0) {
    args["io.kubernetes.cri.pod-annotations"] = pod.annotations;
    args["podAnnotations"] = pod.annotations;
  }
  return args;
}

/** The `runtimeConfig` of a plugin: of `args`, what its `capabilities` ask for. Undefined where that is nothing. */
export function runtimeConfig(plugin: PluginConfig, args: JsonObject): JsonObject | undefined {
  const wanted = isJsonObject(plugin["capabilities"]) ? plugin["capabilities"] : {};
  const given = Object.entries(args).filter(([name]) => wanted[name] === true);
  return given.length > 0 ? Object.fromEntries(given) : undefined;
}

/** Checks what UpdateRuntimeConfig brings. Throws InvalidArgument. */
export function checkPodCidrs(cidrs: string[]): string[] {
  for (const cidr of cidrs) {
    if (!isCidr(cidr)) throw new BerthError("InvalidArgument", `pod CIDR "${cidr.slice(0, 100)}" is not a CIDR`);
  }
  return cidrs;
}

function portMapping({ protocol, containerPort, hostPort, hostIp }: PodPortMapping): JsonObject {
  const name = protocols[protocol];
  if (!name) throw new BerthError("InvalidArgument", `port mapping: protocol ${protocol} is none of TCP, UDP and SCTP`);
  for (const port of [containerPort, hostPort]) {
    if (!(Number.isInteger(port) && port >= 1 && port <= 65535)) {
      throw new BerthError("InvalidArgument", `port mapping: ${port} is not a port`);
    }
  }
  if (hostIp !== "" && net.isIP(hostIp) === 0) {
    throw new BerthError("InvalidArgument", `port mapping: host IP "${hostIp.slice(0, 100)}" is not an address`);
  }
  return { hostPort, containerPort, protocol: name, ...(hostIp === "" ? {} : { hostIP: hostIp }) };
}

function podBandwidth(annotations: Record<string, string>): JsonObject | undefined {
  const ingress = rate(annotations, "kubernetes.io/ingress-bandwidth");
  const egress = rate(annotations, "kubernetes.io/egress-bandwidth");
  if (ingress === undefined && egress === undefined) return undefined;
  return {
    ...(ingress === undefined ? {} : { ingressRate: ingress, ingressBurst: burstBits }),
    ...(egress === undefined ? {} : { egressRate: egress, egressBurst: burstBits }),
  };
}

function rate(annotations: Record<string, string>, key: string): number | undefined {
  const text = annotations[key];
  if (text === undefined) return undefined;
  try {
    const bitsPerSecond = parseQuantity(text);
    if (bitsPerSecond >= rateBounds.least && bitsPerSecond <= rateBounds.most) return bitsPerSecond;
    throw new BerthError("InvalidArgument", `"${text}" is not between 1k and 1P bits a second`);
  } catch (error) {
    throw during(`annotation ${key}`, error);
  }
}
