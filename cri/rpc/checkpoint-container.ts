import { BerthError } from "../../api/errors";

export function checkpointContainer(): never {
  throw new BerthError("Unimplemented", "CheckpointContainer is not implemented: Berth can't freeze containers yet");
}
