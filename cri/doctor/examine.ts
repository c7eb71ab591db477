import type { Config } from "../../api/config/schema";
import { messageOf } from "../../api/errors";
import { StatePaths } from "../state-paths";
import { checkCgroups } from "./cgroups";
import { askDaemon, checkDaemon } from "./daemon";
import type { Finding, Node } from "./finding";
import { checkKernel } from "./kernel";
import { checkLeaks } from "./leaks";
import { checkNetwork } from "./network";
import { checkPrograms } from "./programs";
import { checkSpace } from "./space";

const checks: Record<string, (node: Node) => Finding[] | Promise<Finding[]>> = {
  kernel: checkKernel,
  cgroups: checkCgroups,
  programs: checkPrograms,
  network: checkNetwork,
  space: checkSpace,
  daemon: checkDaemon,
  leaks: checkLeaks,
};

export const nodeOf = async (config: Config, minAgeMs: number): Promise<Node> => ({
  config,
  paths: new StatePaths(config.state),
  daemon: await askDaemon(config.socket),
  minAgeMs,
});

/** Looks at all that a node's daemon needs and has left behind. Changes nothing. */
export async function examine(config: Config, minAgeMs: number): Promise<Finding[]> {
  const node = await nodeOf(config, minAgeMs);
  const found: Finding[] = [];
  for (const [check, look] of Object.entries(checks)) {
    try {
      found.push(...(await look(node)));
    } catch (error) {
      found.push({ check, level: "error", message: `could not be looked at: ${messageOf(error)}` });
    }
  }
  return found;
}
