import { BerthError } from "../../api/errors";

export function checkpointPod(): never {
  throw new BerthError("Unimplemented", "CheckpointPod is not implemented: Berth can't freeze pods yet");
}
