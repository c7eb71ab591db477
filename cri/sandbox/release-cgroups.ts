import { stopEmptySlices } from "../../sys/systemd-slices";
import type { Services } from "../services";
import type { SandboxRecord } from "../store/sandbox";

/**
 * Takes away the parents of a pod's cgroups that came with pods of ours, once nothing is in them. Where systemd makes the
 * cgroups, the last of the pods that share a slice stops it.
 */
export async function releaseCgroups(
  { cgroups, cgroupDriver, store }: Services,
  { id, madeCgroups }: Pick<SandboxRecord, "id" | "madeCgroups">,
): Promise<void> {
  if (cgroupDriver === "cgroupfs") return cgroups.removeEmpty(madeCgroups);
  const others = store.sandboxes.list().filter((each) => each.id !== id);
  const wanted = new Set(others.flatMap(({ record }) => record.madeCgroups));
  await stopEmptySlices(
    cgroups,
    madeCgroups.filter((each) => !wanted.has(each)),
  );
}
