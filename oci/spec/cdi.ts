import fs from "node:fs/promises";
import { BerthError, during } from "../../api/errors";
import type { UserNamespace } from "../../sys/id-mapping";
import { errnoOf } from "../../sys/libc";
import { requestedDevices } from "../cdi/device-name";
import { findDevices } from "../cdi/find-devices";
import type { CdiDeviceNode, CdiEdits, CdiMount } from "../cdi/spec";
import type {
  SpecDevice,
  SpecDeviceRule,
  SpecHooks,
  SpecIntelRdt,
  SpecMount,
  SpecNetDevice,
  SpecUser,
} from "../runtime-spec";
import { quote } from "./check-text";
import { deviceAt } from "./host-devices";
import { specMappings } from "./id-mappings";
import type { SpecInput } from "./input";

/** What the CDI devices of a container add to its spec; all later ones go over earlier ones. */
export interface CdiParts {
  /** KEY=value */
  env: string[];
  devices: SpecDevice[];
  rules: SpecDeviceRule[];
  mounts: SpecMount[];
  additionalGids: number[];
  hooks: SpecHooks;
  intelRdt?: SpecIntelRdt;
  netDevices: Record<string, SpecNetDevice>;
  warnings: string[];
}

/** Who device nodes belong to of which the file does not say it: the container's user. */
type DeviceOwner = Pick<SpecUser, "uid" | "gid">;

/**
 * Reads what CDI files say of the devices that a container asks for, and turns it into parts of the spec. Throws
 * InvalidArgument for bad names, FailedPrecondition, which names the file, for what is not there or not allowed.
 */
export async function cdiParts(input: SpecInput, owner: DeviceOwner): Promise<CdiParts> {
  const { cdi: settings, config } = input;
  const names = config.CDIDevices.map(({ name }) => name);
  const lists = { env: [], devices: [], rules: [], mounts: [], additionalGids: [], warnings: [] };
  const parts: CdiParts = { ...lists, hooks: {}, netDevices: {} };
  if (!settings.enabled) {
    if (names.length === 0) return parts;
    const list = quote(names.join(", "));
    throw new BerthError("FailedPrecondition", `CDI devices ${list} are asked for, but CDI is disabled`, {
      hint: "set runtime.enable_cdi = true in the configuration",
    });
  }
  const found = await findDevices(requestedDevices(names, config.annotations), settings.specDirs);
  for (const { file, edits } of found.edits) {
    try {
      await add(parts, edits, { input, owner });
    } catch (error) {
      throw during(`the CDI file ${file}`, error);
    }
  }
  return { ...parts, warnings: found.warnings };
}

interface AddContext {
  input: SpecInput;
  owner: DeviceOwner;
}

async function add(parts: CdiParts, edits: CdiEdits, { input, owner }: AddContext): Promise<void> {
  const { cdi: settings, features, sandbox } = input;
  if (edits.hooks.length > 0 && !settings.allowHooks) {
    const hook = edits.hooks[0]!;
    throw refused(
      `it asks for a hook, ${hook.hookName} by ${quote(hook.path)}, and hooks are not allowed`,
      "hooks run on the host as root; runtime.cdi_allow_hooks = true in the configuration allows them",
    );
  }
  if (edits.intelRdt && !features.intelRdt) throw refused("it asks for intelRdt, which the runtime does not have");
  if (edits.netDevices.length > 0 && !features.netDevices) {
    throw refused("it asks for network devices, which the runtime cannot move", "runc 1.4 or later is needed");
  }
  parts.env.push(...edits.env);
  for (const node of edits.deviceNodes) {
    const device = await specDevice(node, owner);
    parts.devices.push(device);
    const { type, major, minor } = device;
    if (type !== "p" && node.permissions !== "") {
      parts.rules.push({ allow: true, type, major, minor, access: node.permissions });
    }
  }
  for (const mount of edits.mounts) parts.mounts.push(await specMount(mount, sandbox.namespaces.user));
  for (const { hookName, path, args, env, timeout } of edits.hooks) {
    parts.hooks[hookName] = [...(parts.hooks[hookName] ?? []), { path, args, env, timeout }];
  }
  parts.additionalGids.push(...edits.additionalGids);
  if (edits.intelRdt) parts.intelRdt = edits.intelRdt;
  for (const { hostInterfaceName, name } of edits.netDevices) parts.netDevices[hostInterfaceName] = { name };
}

const refused = (reason: string, hint?: string) => new BerthError("FailedPrecondition", reason, { hint });

/** What a node leaves out is taken from the host's, which only a whole one can do without. */
async function specDevice(node: CdiDeviceNode, owner: DeviceOwner): Promise<SpecDevice> {
  const { path, hostPath = path, type } = node;
  const host = await hostDevice(hostPath);
  const isWhole = type !== undefined && (type === "p" || node.major !== 0);
  const rest = {
    path,
    fileMode: node.fileMode ?? host?.fileMode ?? 0o666,
    uid: node.uid ?? owner.uid,
    gid: node.gid ?? owner.gid,
  };
  if (isWhole) return { ...rest, type, major: node.major, minor: node.minor };
  if (!host) throw refused(`there is no device ${quote(hostPath)} on the host`);
  if (type !== undefined && type !== host.type) {
    throw refused(`the device ${quote(hostPath)} is of the type ${host.type} and not ${type}`);
  }
  return { ...rest, type: host.type, major: host.major, minor: host.minor };
}

async function hostDevice(hostPath: string): Promise<SpecDevice | undefined> {
  try {
    return await deviceAt(await fs.realpath(hostPath));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

async function specMount(mount: CdiMount, userNamespace: UserNamespace | undefined): Promise<SpecMount> {
  const { hostPath, containerPath, type = "", options } = mount;
  const saysBind = type === "bind" || options.includes("bind") || options.includes("rbind");
  // a file that names neither a type nor an option means what lies on the host
  const isBind = saysBind || type === "" || type === "none";
  if (!isBind) return { destination: containerPath, type, source: hostPath, options };
  let source: string;
  try {
    source = await fs.realpath(hostPath);
  } catch (error) {
    throw refused(`the host path ${quote(hostPath)} of a mount: ${errnoOf(error) ?? error}`);
  }
  return {
    destination: containerPath,
    type: "bind",
    source,
    options: options.includes("bind") || options.includes("rbind") ? options : ["rbind", ...options],
    ...(userNamespace && {
      uidMappings: specMappings(userNamespace.uids),
      gidMappings: specMappings(userNamespace.gids),
    }),
  };
}

/** `env` with `added` over it, each key once. */
export function withVariables(env: string[], added: string[]): string[] {
  const keyOf = (entry: string) => entry.slice(0, entry.indexOf("="));
  return [...new Map([...env, ...added].map((entry) => [keyOf(entry), entry])).values()];
}
