import net from "node:net";
import { BerthError, messageOf } from "../api/errors";
import { type CniVersion, isAtLeast, isSupportedVersion } from "./cni-version";
import { checkDepth, isJsonObject, type JsonObject } from "./json-object";
import { printableText } from "./printable-text";

export interface ResultInterface {
  name: string;
  mac: string;
  /** The network namespace's path; empty for an interface of the host. */
  sandbox: string;
  /** In bytes. */
  mtu?: number;
}

export interface ResultAddress {
  /** With its prefix length. */
  address: string;
  gateway?: string;
  /** Index into the interfaces. */
  interface?: number;
}

export interface ResultRoute {
  dst: string;
  gw?: string;
}

export interface ResultDns {
  nameservers: string[];
  domain: string;
  search: string[];
  options: string[];
}

/** What ADD has made (CNI spec 1.1.0, section 5 "ADD Success"), in one shape for the versions from 0.3.0 on. */
export interface CniResult {
  cniVersion: CniVersion;
  interfaces: ResultInterface[];
  ips: ResultAddress[];
  routes: ResultRoute[];
  dns: ResultDns;
}

/** A result, and the object that stands for it in the next plugin's `prevResult`. */
export interface ParsedResult {
  result: CniResult;
  raw: JsonObject;
}

/**
 * Reads what a plugin printed for ADD. `version` is the configuration's, which a result must have too; what another
 * version from 0.3.0 on says is brought into its form, as libcni does, and a missing one taken for it.
 * Throws Internal that says what is wrong.
 */
export function parseResult(text: string, version: CniVersion): ParsedResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong(text.trim() === "" ? "it printed nothing" : `it printed no JSON: ${printableText(text, 200)}`);
  }
  if (!isJsonObject(value)) throw wrong(`it printed no JSON object: ${printableText(text, 200)}`);
  try {
    checkDepth(value);
  } catch (error) {
    throw wrong(`its result is ${messageOf(error)}`);
  }
  const printed = value["cniVersion"] ?? version;
  if (!isSupportedVersion(printed)) {
    const shown = printableText(JSON.stringify(printed), 100);
    throw wrong(`its result is of cniVersion ${shown}, asked was ${version}`);
  }
  try {
    const result: CniResult = {
      cniVersion: version,
      interfaces: list(value, "interfaces").map(readInterface),
      ips: list(value, "ips").map(readAddress),
      routes: list(value, "routes").map(readRoute),
      dns: readDns(value["dns"]),
    };
    for (const { address, interface: index } of result.ips) {
      if (index !== undefined && index >= result.interfaces.length) throw wrong(`${address} is of no interface`);
    }
    return { result, raw: inVersion(value, version) };
  } catch (error) {
    throw wrong(`its result is not valid: ${printableText(messageOf(error), 200)}`);
  }
}

/**
 * The pod's addresses without prefix lengths, in the plugins' order and each once: those of interfaces inside the
 * sandbox and those of no stated interface. Loopback addresses are every pod's and none's.
 */
export function podAddresses({ interfaces, ips }: CniResult): string[] {
  const inside = ips.filter(({ interface: index }) => index === undefined || interfaces[index]?.sandbox !== "");
  const addresses = inside.map(({ address }) => address.slice(0, address.indexOf("/")));
  return [...new Set(addresses)].filter((address) => address !== "::1" && !address.startsWith("127."));
}

// Before 1.0.0 each address also says whether it is of IPv4 or IPv6 (CNI spec 0.4.0, "Result").
function inVersion(value: JsonObject, version: CniVersion): JsonObject {
  const ips = list(value, "ips") as JsonObject[];
  const needsFamily = !isAtLeast(version, "1.0.0");
  return {
    ...value,
    cniVersion: version,
    ips: ips.map(({ version: _, ...ip }) =>
      needsFamily ? { version: String(ip["address"]).includes(":") ? "6" : "4", ...ip } : ip,
    ),
  };
}

function readInterface(value: unknown): ResultInterface {
  const item = object(value, "interface");
  const mtu = item["mtu"];
  const name = text(item, "name");
  if (name === "") throw wrong("an interface has no name");
  return {
    name,
    mac: text(item, "mac"),
    sandbox: text(item, "sandbox"),
    ...(typeof mtu === "number" && mtu > 0 ? { mtu } : {}),
  };
}

function readAddress(value: unknown): ResultAddress {
  const item = object(value, "address");
  const address = text(item, "address");
  if (!isCidr(address)) throw wrong(`"${address}" is not an address with a prefix length`);
  const gateway = text(item, "gateway");
  if (gateway !== "" && net.isIP(gateway) === 0) throw wrong(`gateway "${gateway}" is not an address`);
  const index = item["interface"] ?? undefined;
  if (index !== undefined && !(Number.isSafeInteger(index) && (index as number) >= 0)) {
    throw wrong(`${address} is of no interface`);
  }
  return {
    address,
    ...(gateway === "" ? {} : { gateway }),
    ...(index === undefined ? {} : { interface: index as number }),
  };
}

function readRoute(value: unknown): ResultRoute {
  const item = object(value, "route");
  const dst = text(item, "dst");
  if (!isCidr(dst)) throw wrong(`route to "${dst}" is not to an address with a prefix length`);
  const gw = text(item, "gw");
  return gw === "" ? { dst } : { dst, gw };
}

function readDns(value: unknown): ResultDns {
  const dns = value === undefined || value === null ? {} : object(value, "dns");
  const texts = (key: string) =>
    list(dns, key).map((item) => {
      if (typeof item !== "string") throw wrong(`dns.${key} is not a list of strings`);
      return item;
    });
  return {
    nameservers: texts("nameservers"),
    domain: text(dns, "domain"),
    search: texts("search"),
    options: texts("options"),
  };
}

/** Whether `value` is an IP address with a prefix length. */
export function isCidr(value: string): boolean {
  const [, address = "", prefix = ""] = /^([^/]+)\/(\d{1,3})$/.exec(value) ?? [];
  const family = net.isIP(address);
  return family !== 0 && Number(prefix) <= (family === 4 ? 32 : 128);
}

function list(value: JsonObject, key: string): unknown[] {
  const items = value[key] ?? [];
  if (!Array.isArray(items)) throw wrong(`${key} is not a list`);
  return items;
}

function object(value: unknown, what: string): JsonObject {
  if (!isJsonObject(value)) throw wrong(`the ${what} is not an object`);
  return value;
}

function text(value: JsonObject, key: string): string {
  const found = value[key] ?? "";
  if (typeof found !== "string") throw wrong(`${key} is not a string`);
  return found;
}

const wrong = (message: string) => new BerthError("Internal", message);
