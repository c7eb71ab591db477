import path from "node:path";
import { parse as parseYaml, type Tags } from "yaml";
import { BerthError, messageOf } from "../../api/errors";
import type { SpecIntelRdt } from "../runtime-spec";
import { devicePattern, kindPattern } from "./device-name";
import { Fields } from "./fields";
import { type CdiEdits, cdiHookNames, type CdiSpec } from "./spec";

const versions = ["0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"];
const absolute = /^\/[^\0\n]*$/;
const variable = /^[^=\0\n][^=\0]*=[^\0]*$/;
const interfaceName = /^[^\s/:\0]{1,15}$/;
const maxUint32 = 2 ** 32 - 1;

const fieldsOf = {
  spec: ["cdiVersion", "kind", "annotations", "devices", "containerEdits"],
  device: ["name", "annotations", "containerEdits"],
  edits: ["env", "deviceNodes", "mounts", "hooks", "intelRdt", "additionalGids", "additionalGIDs", "netDevices"],
  deviceNode: ["path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"],
  mount: ["hostPath", "containerPath", "type", "options"],
  hook: ["hookName", "path", "args", "env", "timeout"],
  intelRdt: ["closID", "l3CacheSchema", "memBwSchema", "schemata", "enableMonitoring", "enableCMT", "enableMBM"],
  netDevice: ["hostInterfaceName", "name"],
};

/** Refuses what came into the specification later than the version that the file names. */
type Since = (version: string, what: string) => void;

/**
 * Checks the text of a CDI file, JSON or YAML by its name (SPEC.md of CDI 1.1.0). As the specification wants it, unknown
 * fields and those of a later version than the file's own are refused. Throws InvalidArgument, which says where.
 */
export function parseSpec(text: string, file: string): CdiSpec {
  const spec = new Fields(parseText(text, file), "the file", fieldsOf.spec);
  const version = spec.requiredText("cdiVersion").replace(/^v/, "");
  if (!versions.includes(version)) {
    throw bad(`cdiVersion ${JSON.stringify(version.slice(0, 100))} is unknown; known are 0.1.0 to ${versions.at(-1)}`);
  }
  const since: Since = (needed, what) => {
    if (versions.indexOf(version) < versions.indexOf(needed)) throw bad(`${what} needs cdiVersion ${needed} or later`);
  };
  const kind = spec.requiredText("kind", kindPattern);
  if (kind.split("/")[1]?.includes(".")) since("0.6.0", "a dot in the class of the kind");
  if (spec.has("annotations")) since("0.6.0", spec.at("annotations"));
  const devices = new Map<string, CdiEdits>();
  for (const device of spec.nestedList("devices", fieldsOf.device)) {
    const name = device.requiredText("name", devicePattern);
    if (/^[0-9]/.test(name)) since("0.5.0", `${device.at("name")}, which starts with a digit,`);
    if (device.has("annotations")) since("0.6.0", device.at("annotations"));
    if (devices.has(name)) throw bad(`the device ${JSON.stringify(name)} is there twice`);
    devices.set(name, parseEdits(device.nested("containerEdits", fieldsOf.edits), since));
  }
  if (devices.size === 0) throw bad("it has no devices");
  return { kind, devices, edits: parseEdits(spec.nested("containerEdits", fieldsOf.edits), since) };
}

const bad = (reason: string) => new BerthError("InvalidArgument", reason);

// by YAML 1.1, as the files' other readers: a mode of 0644 is octal; but times and dates are texts, for 0:1 is a name
const withoutTimes = (tags: Tags): Tags =>
  tags.filter((tag) => typeof tag === "string" || (tag.format !== "TIME" && !tag.tag.endsWith(":timestamp")));

function parseText(text: string, file: string): unknown {
  try {
    if (path.extname(file) === ".json") return JSON.parse(text);
    return parseYaml(text, { version: "1.1", customTags: withoutTimes, prettyErrors: false, logLevel: "error" });
  } catch (cause) {
    throw bad(`it is neither JSON nor YAML: ${messageOf(cause).split("\n")[0]!.slice(0, 300)}`);
  }
}

function parseEdits(edits: Fields | undefined, since: Since): CdiEdits {
  if (!edits) return { env: [], deviceNodes: [], mounts: [], hooks: [], additionalGids: [], netDevices: [] };
  for (const name of ["additionalGids", "additionalGIDs", "intelRdt"])
    if (edits.has(name)) since("0.7.0", edits.at(name));
  if (edits.has("netDevices")) since("1.1.0", edits.at("netDevices"));
  const gids = (name: string) => edits.integers(name, [0, maxUint32]).filter((gid) => gid !== 0);
  const rdt = edits.nested("intelRdt", fieldsOf.intelRdt);
  return {
    env: edits.texts("env", variable),
    deviceNodes: edits.nestedList("deviceNodes", fieldsOf.deviceNode).map((node) => parseDeviceNode(node, since)),
    mounts: edits.nestedList("mounts", fieldsOf.mount).map((mount) => parseMount(mount, since)),
    hooks: edits.nestedList("hooks", fieldsOf.hook).map(parseHook),
    additionalGids: [...gids("additionalGids"), ...gids("additionalGIDs")],
    ...(rdt && { intelRdt: parseIntelRdt(rdt, since) }),
    netDevices: edits.nestedList("netDevices", fieldsOf.netDevice).map((device) => ({
      hostInterfaceName: device.requiredText("hostInterfaceName", interfaceName),
      name: device.requiredText("name", interfaceName),
    })),
  };
}

function parseDeviceNode(node: Fields, since: Since): CdiEdits["deviceNodes"][number] {
  const hostPath = node.text("hostPath", absolute);
  if (hostPath !== undefined) since("0.5.0", node.at("hostPath"));
  const type = node.text("type", /^[bcup]?$/);
  const fileMode = node.integer("fileMode", [0, maxUint32]);
  const permissions = node.text("permissions", /^([rwm]*|none)$/) ?? "rwm";
  return {
    path: node.requiredText("path", absolute),
    hostPath,
    // u, an unbuffered one, is the same as c to the kernel (mknod(1))
    type: (type === "u" ? "c" : type) as "b" | "c" | "p" | undefined,
    major: node.integer("major", [0, maxUint32]) ?? 0,
    minor: node.integer("minor", [0, maxUint32]) ?? 0,
    ...(fileMode !== undefined && { fileMode: fileMode & 0o7777 }),
    permissions: permissions === "none" ? "" : [...new Set(permissions)].join(""),
    uid: node.integer("uid", [0, maxUint32]),
    gid: node.integer("gid", [0, maxUint32]),
  };
}

function parseMount(mount: Fields, since: Since): CdiEdits["mounts"][number] {
  const type = mount.text("type");
  if (type !== undefined) since("0.4.0", mount.at("type"));
  return {
    hostPath: mount.requiredText("hostPath"),
    containerPath: mount.requiredText("containerPath", absolute),
    type,
    options: mount.texts("options", /^[^\0\n]+$/),
  };
}

function parseHook(hook: Fields): CdiEdits["hooks"][number] {
  const hookName = hook.requiredText("hookName");
  const known = cdiHookNames.find((name) => name === hookName);
  if (!known) throw bad(`${hook.at("hookName")} is none of ${cdiHookNames.join(", ")}`);
  return {
    hookName: known,
    path: hook.requiredText("path", absolute),
    args: hook.texts("args"),
    env: hook.texts("env", variable),
    timeout: hook.integer("timeout", [1, 2 ** 31 - 1]),
  };
}

function parseIntelRdt(rdt: Fields, since: Since): SpecIntelRdt {
  for (const name of ["schemata", "enableMonitoring"]) if (rdt.has(name)) since("1.1.0", rdt.at(name));
  return {
    closID: rdt.text("closID", /^(\/|(?!\.{1,2}$)[^/\0\n]{0,4095})$/),
    l3CacheSchema: rdt.text("l3CacheSchema"),
    memBwSchema: rdt.text("memBwSchema"),
    ...(rdt.has("schemata") && { schemata: rdt.texts("schemata", /^[^\0\n]*$/) }),
    enableMonitoring: rdt.flag("enableMonitoring"),
    enableCMT: rdt.flag("enableCMT"),
    enableMBM: rdt.flag("enableMBM"),
  };
}
