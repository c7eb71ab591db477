// What no runtime can go below on this machine: the network list's plugins and the OCI runtimes, with nothing around them.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const PROCESS = fileURLToPath(new URL("floor-process.mjs", import.meta.url));

/**
 * Milliseconds by "CNI ADD", "CNI DEL", such as "crun create", and burstFloor(): of each several.
 * @param options { place, cgroup, programs, rounds: { singles, bursts }, counts }: place is of layOut(), which is taken
 *   away; programs are paths of OCI runtimes by name, counts are of pods at once
 */
export async function measureFloor(options, { signal }) {
  const child = fork(PROCESS, [JSON.stringify(options)], { detached: true });
  let answer = { problem: "it ended without an answer" };
  child.on("message", (message) => {
    answer = message;
  });
  const interrupted = () => child.kill();
  signal.addEventListener("abort", interrupted);
  await new Promise((resolve) => child.once("close", resolve));
  signal.removeEventListener("abort", interrupted);
  if (answer.problem) throw new Error(`the floor: ${answer.problem}`);
  return answer.figures;
}

/** What a burst of so many pods is called among the figures. */
export const burstFloor = (count) => `${count} at once: CNI ADD, crun create, start`;
