import { resolveTextInRoot } from "../../sys/rooted-path";
import { checkAbsolutePath, checkCount, checkNoNul, invalid, quote } from "./check-text";
import type { SpecImageConfig } from "./input";

export interface ArgsInput {
  command: string[];
  args: string[];
  image: SpecImageConfig;
}

/**
 * What runs: `command` replaces the image's entrypoint and drops its Cmd; `args` alone keep the entrypoint
 * (Kubernetes, "define a command and arguments"). Throws InvalidArgument where nothing is left to run.
 */
export function processArgs({ command, args, image }: ArgsInput): string[] {
  const entrypoint = command.length > 0 ? command : withoutReset(image.Entrypoint ?? []);
  const rest = args.length > 0 || command.length > 0 ? args : (image.Cmd ?? []);
  const all = [...entrypoint, ...rest];
  if (all.length === 0) throw invalid("no command specified");
  checkCount("arguments", all, 65536);
  for (const argument of all) checkNoNul("the argument", argument);
  if (all[0] === "") throw invalid("the command is an empty text");
  return all;
}

// Docker's builder writes [""] for an entrypoint that was taken back
const withoutReset = (entrypoint: string[]) => (entrypoint.length === 1 && entrypoint[0] === "" ? [] : entrypoint);

const descriptorPath = /^\/(proc|dev)\/((self|thread-self|[0-9]+)(\/task\/[0-9]+)?\/)?fd(\/|$)/;

/**
 * The working directory: the request's, else the image's, else "/". Throws InvalidArgument where it is not absolute, or
 * leads by text or by links of the image to or through an open descriptor, which an unpatched runtime would follow to
 * the host (CVE-2024-21626).
 */
export function workingDirectory(requested: string, image: SpecImageConfig, rootfsPath: string): string {
  const cwd = checkAbsolutePath("the working directory", requested || image.WorkingDir || "/");
  resolveTextInRoot(rootfsPath, cwd, (place) => {
    if (!descriptorPath.test(place)) return;
    throw invalid(`the working directory ${quote(cwd)} leads to an open file descriptor`);
  });
  return cwd;
}
