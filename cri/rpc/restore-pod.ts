import { BerthError } from "../../api/errors";

export function restorePod(): never {
  throw new BerthError("Unimplemented", "RestorePod is not implemented: Berth can't bring frozen pods back yet");
}
