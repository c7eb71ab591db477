import fs from "node:fs";
import path from "node:path";
import { runBounded } from "../../cni/bounded-process";
import { readConfigDirectory } from "../../cni/config-directory";
import { type Finding, findings, type Node } from "./finding";

/** The CNI configuration and whether its plugins are there and speak its version. */
export async function checkNetwork({ config }: Node): Promise<Finding[]> {
  const { list, ok, warning, error } = findings("network");
  const { conf_dir, bin_dirs } = config.cni;
  const { network, file, problems } = await readConfigDirectory(conf_dir);
  for (const problem of problems)
    warning(`a network configuration is broken: ${problem}`, "correct it or take it away");
  if (!network) {
    error(
      `there is no network configuration in ${conf_dir}`,
      "install a network add-on (see manifests/cni for a plain bridge)",
    );
    return list;
  }
  ok(`network ${network.name} of ${file}, CNI ${network.cniVersion}`);
  const ipams = network.plugins.flatMap(({ ipam }) => (ipam as { type?: string } | undefined)?.type ?? []);
  for (const type of new Set([...network.plugins.map((plugin) => plugin.type), ...ipams])) {
    const binary = bin_dirs.map((directory) => path.join(directory, type)).find((each) => fs.existsSync(each));
    if (!binary) {
      error(
        `plugin ${type} is in none of ${bin_dirs.join(", ")}`,
        "install it (Debian: apt-get install containernetworking-plugins), or name its directory in cni.bin_dirs",
      );
      continue;
    }
    const versions = await supportedVersions(binary);
    if (versions && !versions.includes(network.cniVersion))
      error(
        `${binary} does not speak CNI ${network.cniVersion}, but ${versions.join(", ")}`,
        "install a later release of it",
      );
    else ok(binary);
  }
  return list;
}

/** Asks a plugin (CNI spec 1.1.0, section 2 "VERSION"); undefined where it does not say. */
async function supportedVersions(file: string): Promise<string[] | undefined> {
  try {
    const { stdout } = await runBounded({
      file,
      env: { CNI_COMMAND: "VERSION" },
      input: '{"cniVersion":"1.0.0"}',
      timeoutMs: 5000,
      limitBytes: 1 << 16,
    });
    return (JSON.parse(stdout) as { supportedVersions?: string[] }).supportedVersions;
  } catch {
    return undefined;
  }
}
