import path from "node:path";
import type { Cgroups } from "./cgroups";
import { findProgram, runProcess } from "./spawn";

/**
 * Stops slices, given by their paths, outermost first, that have nothing in them any more; systemd takes their cgroups
 * away. It would keep them otherwise, though it made them for the first unit inside without being asked.
 */
export async function stopEmptySlices(cgroups: Cgroups, slices: string[]): Promise<void> {
  const systemctl = findProgram("systemctl");
  for (const slice of slices.toReversed()) {
    if (!cgroups.isEmpty(slice)) return; // nor are those around it
    if (systemctl) {
      const args = ["stop", "--quiet", path.basename(slice)];
      const env = { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" };
      await runProcess({ file: systemctl, args, env, timeoutMs: 30_000 });
    }
    cgroups.forgetGone(slice);
  }
}
