import fs from "node:fs";
import path from "node:path";
import { BerthError } from "../../api/errors";
import type { RuntimeSpec, SpecProcess } from "../../oci/runtime-spec";
import { checkCount, checkNoNul, invalid } from "../../oci/spec/check-text";
import type { Services } from "../services";
import type { Container } from "../store/container";

/** Throws InvalidArgument for what can't be a command line. */
export function checkCommand(args: string[]): void {
  if (args.length === 0) throw invalid("no command to run");
  checkCount("arguments", args, 65536);
  for (const argument of args) checkNoNul("the argument", argument);
}

/**
 * The process of a command in a container: who and what its first process is, with another command line. Throws
 * FailedPrecondition where the container does not run.
 */
export function execProcess(
  { paths }: Services,
  container: Container,
  command: { args: string[]; terminal: boolean },
): SpecProcess {
  if (!container.isRunning) {
    throw new BerthError("FailedPrecondition", `container ${container.id} is not running`);
  }
  const file = path.join(paths.container(container.id), "config.json");
  const spec = JSON.parse(fs.readFileSync(file, "utf8")) as RuntimeSpec;
  const env = spec.process.env.filter((entry) => !entry.startsWith("TERM="));
  if (command.terminal) env.push("TERM=xterm");
  return { ...spec.process, ...command, env };
}
