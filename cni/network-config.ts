import path from "node:path";
import { BerthError, during } from "../api/errors";
import { type CniVersion, chooseVersion } from "./cni-version";
import { isJsonObject, type JsonObject, parseJsonObject } from "./json-object";
import { printableText } from "./printable-text";

/** One plugin's configuration as its author wrote it; `type` has been checked. */
export interface PluginConfig extends JsonObject {
  type: string;
}

/** A network: what one configuration list says. Plain data, so that it can be kept beside what was made with it. */
export interface NetworkConfig {
  name: string;
  cniVersion: CniVersion;
  disableCheck: boolean;
  disableGC: boolean;
  /** More plugins may lie in the directory of the network's name, beside the file. */
  loadOnlyInlinedPlugins: boolean;
  plugins: PluginConfig[];
}

// CNI spec, section 1 "Configuration format", `name`. Names become file names in plugins (host-local's directory).
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** NAME_MAX of Linux. */
const longestNameBytes = 255;

/**
 * Reads a configuration list, or a single configuration, which becomes a list of one (CNI spec 1.1.0, section 1).
 * A list may come without plugins where a directory can bring them. Throws InvalidArgument that says what is wrong.
 */
export function parseNetworkConfig(text: string, isList: boolean): NetworkConfig {
  const config = parseJsonObject(text);
  const name = config["name"];
  if (typeof name !== "string" || !namePattern.test(name)) {
    throw invalid(`name ${shown(name)} is not one of letters, digits, "_", "." and "-" that starts with the first two`);
  }
  const cniVersion = chooseVersion(config["cniVersion"], config["cniVersions"]);
  if (!isList && config["plugins"] === undefined) {
    return {
      name,
      cniVersion,
      disableCheck: false,
      disableGC: false,
      loadOnlyInlinedPlugins: true,
      plugins: [checkPlugin(config)],
    };
  }
  const loadOnlyInlinedPlugins = flag(config, "loadOnlyInlinedPlugins");
  const plugins = config["plugins"] ?? [];
  if (!Array.isArray(plugins)) throw invalid("plugins is not a list");
  if (plugins.length === 0 && (loadOnlyInlinedPlugins || config["plugins"] !== undefined)) {
    throw invalid("plugins is empty");
  }
  return {
    name,
    cniVersion,
    disableCheck: flag(config, "disableCheck"),
    disableGC: flag(config, "disableGC"),
    loadOnlyInlinedPlugins,
    plugins: plugins.map((plugin, index) => {
      try {
        return checkPlugin(plugin);
      } catch (error) {
        throw during(`plugin ${index + 1}`, error);
      }
    }),
  };
}

/** Reads one plugin's configuration from its own file. Throws InvalidArgument. */
export const parsePluginConfig = (text: string): PluginConfig => checkPlugin(parseJsonObject(text));

/** Reads what an attachment record kept of a network. Throws InvalidArgument where it is not whole. */
export function checkNetworkConfig(value: unknown): NetworkConfig {
  return parseNetworkConfig(JSON.stringify(value ?? null), true);
}

function checkPlugin(value: unknown): PluginConfig {
  if (!isJsonObject(value)) throw invalid("not a JSON object");
  const ipam = value["ipam"];
  for (const type of [value["type"], ...(isJsonObject(ipam) && ipam["type"] !== undefined ? [ipam["type"]] : [])]) {
    // A type is looked up in the plugin directories and run as root: it must not lead out (CVE-2021-20206).
    const isName = typeof type === "string" && type !== "" && Buffer.byteLength(type) <= longestNameBytes;
    if (!isName || /^\.\.?$|[\x00-\x1f\x7f\\]/.test(type) || path.basename(type) !== type) {
      throw invalid(`type ${shown(type)} is not the bare name of a plugin`);
    }
  }
  const capabilities = value["capabilities"];
  if (capabilities !== undefined && capabilities !== null && !isJsonObject(capabilities)) {
    throw invalid("capabilities is not an object");
  }
  return value as PluginConfig;
}

// The strings "true" and "false" count too: libcni takes them, so there are files with them.
function flag(config: JsonObject, key: string): boolean {
  const value = config[key];
  const text = typeof value === "string" ? value.toLowerCase() : value;
  if (text === undefined || text === false || text === "false") return false;
  if (text === true || text === "true") return true;
  throw invalid(`${key} is neither true nor false`);
}

const shown = (value: unknown) =>
  value === undefined ? "(missing)" : printableText(JSON.stringify(value) ?? "?", 100);
const invalid = (message: string) => new BerthError("InvalidArgument", message);
