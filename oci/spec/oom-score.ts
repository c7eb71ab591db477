import type { SpecDaemon } from "./input";
import { invalid } from "./check-text";

/**
 * oom_score_adj of the container. Lowering one's own needs CAP_SYS_RESOURCE, so without it the daemon's own is the
 * floor. Throws InvalidArgument outside -1000 to 1000.
 */
export function oomScoreAdj(wanted: bigint, daemon: Pick<SpecDaemon, "oomScoreAdj" | "hasSysResource">): number {
  if (wanted < -1000n || wanted > 1000n) throw invalid(`oom_score_adj ${wanted} is not between -1000 and 1000`);
  return daemon.hasSysResource ? Number(wanted) : Math.max(Number(wanted), daemon.oomScoreAdj);
}
