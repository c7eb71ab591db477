import { BerthError } from "../../api/errors";
import type { RemoteCommandFlags } from "./requests";

/** What cri-api says of ExecRequest and AttachRequest. Throws InvalidArgument. */
export function checkFlags({ stdin, stdout, stderr, tty }: RemoteCommandFlags): RemoteCommandFlags {
  if (!stdin && !stdout && !stderr) {
    throw new BerthError("InvalidArgument", "one of stdin, stdout and stderr must be asked for");
  }
  if (tty && stderr) throw new BerthError("InvalidArgument", "a terminal has no stderr of its own");
  return { stdin, stdout, stderr, tty };
}
