// What is measured, and how far ahead of containerd Berth is to be.
import { burstFloor } from "./floor.mjs";

/**
 * The rows of the table in their order, for numbers of pods and the size of the image that is pulled. `key` names the
 * figures (see measure.mjs), `bar` how many times less time, memory or CPU Berth is to take than containerd, `aim` what
 * is hoped for on top, `floor` what of floor.mjs the calls contain whichever runtime answers them.
 */
export const barsFor = ({ few, many, most, imageMib }) => [
  {
    key: "podUp",
    what: "pod up, one at a time (the next three together)",
    unit: "ms",
    bar: 3.5,
    floor: ["CNI ADD", "crun create", "crun start"],
  },
  { key: "RunPodSandbox", what: "RunPodSandbox", unit: "ms", bar: 4, floor: ["CNI ADD"] },
  { key: "CreateContainer", what: "CreateContainer", unit: "ms" },
  { key: "StartContainer", what: "StartContainer", unit: "ms", bar: 3, floor: ["crun start"] },
  { key: "ExecSync", what: "ExecSync `true`", unit: "ms", bar: 3, floor: ["crun exec"] },
  {
    key: "tornDown",
    what: "container and pod torn down (the four RPCs)",
    unit: "ms",
    bar: 2.5,
    floor: ["CNI DEL", "crun kill and delete"],
  },
  { key: "burstFew", what: `${few} pods at once, all up`, unit: "ms", bar: 4, floor: [burstFloor(few)] },
  { key: "burstMany", what: `${many} pods at once, all up`, unit: "ms", bar: 4, floor: [burstFloor(many)] },
  { key: "ListContainerStats", what: `ListContainerStats with ${many} pods`, unit: "ms", bar: 3 },
  { key: "ListPodSandboxStats", what: `ListPodSandboxStats with ${many} pods`, unit: "ms", bar: 3 },
  { key: "ListPodSandboxMetrics", what: `ListPodSandboxMetrics with ${many} pods`, unit: "ms", bar: 3 },
  { key: "ListPodSandbox", what: `ListPodSandbox of ${most}`, unit: "ms", bar: 1 },
  { key: "ListContainers", what: `ListContainers of ${most}`, unit: "ms", bar: 1 },
  { key: "memory", what: `memory with ${many} pods: daemon and monitors or shims`, unit: "MiB", bar: 3 },
  { key: "idleCpu", what: `CPU of the daemon in a minute with ${many} idle pods, polled`, unit: "s", bar: 2 },
  { key: "pullGzip", what: `pull of 10 layers, ${imageMib} MiB unpacked, gzip`, unit: "s", bar: 1, aim: 1.3 },
  { key: "pullZstd", what: `pull of 10 layers, ${imageMib} MiB unpacked, zstd`, unit: "s", bar: 1, aim: 1.3 },
  { key: "start", what: `daemon start with ${many} running pods, until ListContainers answers`, unit: "ms", bar: 1 },
];

const sorted = (figures) => figures.toSorted((a, b) => a - b);
/** The figure that a part of them, such as 0.5, is not above. */
export function quantile(figures, part) {
  const all = sorted(figures);
  return all[Math.min(all.length - 1, Math.floor(part * all.length))];
}
export const median = (figures) => quantile(figures, 0.5);
