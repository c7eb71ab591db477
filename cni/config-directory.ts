import fs from "node:fs";
import path from "node:path";
import { BerthError, messageOf } from "../api/errors";
import { type NetworkConfig, type PluginConfig, parseNetworkConfig, parsePluginConfig } from "./network-config";

/** What a configuration directory holds. */
export interface ConfigDirectory {
  /** The first valid network by file name. */
  network: NetworkConfig | undefined;
  /** Where it came from. */
  file: string | undefined;
  /** The files before it that are broken, each with the reason. */
  problems: string[];
  /** The directories that were read. */
  directories: string[];
}

const extensions = new Set([".conflist", ".conf", ".json"]);
const fileLimitBytes = 1024 * 1024;

/**
 * The network that `confDir` configures: the first valid file of *.conflist, *.conf and *.json in the order of their
 * names, as libcni orders them. A broken file is reported and skipped. A directory that is absent holds nothing.
 */
export async function readConfigDirectory(confDir: string): Promise<ConfigDirectory> {
  const problems: string[] = [];
  const directories = [confDir];
  for (const file of await listConfigs(confDir, extensions, problems)) {
    try {
      const isList = path.extname(file) === ".conflist";
      const network = parseNetworkConfig(await readBounded(file), isList);
      if (!network.loadOnlyInlinedPlugins) {
        const directory = path.join(confDir, network.name);
        directories.push(directory);
        network.plugins.push(...(await readPlugins(directory)));
      }
      if (network.plugins.length === 0) throw new BerthError("InvalidArgument", "no plugins are configured");
      return { network, file, problems, directories };
    } catch (error) {
      problems.push(`${file}: ${messageOf(error)}`);
    }
  }
  return { network: undefined, file: undefined, problems, directories };
}

// libcni appends DIR/NETWORK/*.conf, in the order of their names, to the plugins that a list has of its own.
async function readPlugins(directory: string): Promise<PluginConfig[]> {
  const unreadable: string[] = [];
  const plugins: PluginConfig[] = [];
  for (const file of await listConfigs(directory, new Set([".conf"]), unreadable)) {
    try {
      plugins.push(parsePluginConfig(await readBounded(file)));
    } catch (error) {
      throw new BerthError("InvalidArgument", `${file}: ${messageOf(error)}`, { cause: error });
    }
  }
  if (unreadable.length > 0) throw new BerthError("InvalidArgument", unreadable.join("; "));
  return plugins;
}

async function listConfigs(directory: string, wanted: Set<string>, problems: string[]): Promise<string[]> {
  try {
    const names = await fs.promises.readdir(directory);
    return names
      .filter((name) => wanted.has(path.extname(name)))
      .sort()
      .map((name) => path.join(directory, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") problems.push(messageOf(error));
    return [];
  }
}

async function readBounded(file: string): Promise<string> {
  // Non-blocking, so that a FIFO cannot hold the daemon up.
  const handle = await fs.promises.open(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new BerthError("InvalidArgument", "not a regular file");
    if (stat.size > fileLimitBytes) throw new BerthError("InvalidArgument", `over ${fileLimitBytes} bytes`);
    // Not readFile: what a writer appends meanwhile must not go past the limit.
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(stat.size + 1), 0, stat.size + 1, 0);
    if (bytesRead > stat.size) throw new BerthError("InvalidArgument", "being written");
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}
