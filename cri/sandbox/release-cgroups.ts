import { stopEmptySlices } from "../../sys/systemd-slices";
import type { Services } from "../services";
import type { SandboxRecord } from "../store/sandbox";

/**
 * Takes away the parents of a pod's cgroups that came with pods of ours, once no other pod wants them and nothing is in
 * them.
 */
export async function releaseCgroups(
  { cgroups, cgroupDriver }: Services,
  { id, madeCgroups }: Pick<SandboxRecord, "id" | "madeCgroups">,
): Promise<void> {
  const unwanted = cgroups.release(madeCgroups, id);
  if (cgroupDriver === "cgroupfs") cgroups.removeEmpty(unwanted);
  else await stopEmptySlices(cgroups, unwanted);
}
