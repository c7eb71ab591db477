import type { CgroupTasks } from "../../sys/cgroup-pids";
import type { OpenFiles } from "../../sys/open-files";
import type { TaskStates } from "../../sys/task-states";
import { ifKnown, type MetricFamily } from "./family";

interface Reading {
  tasks: CgroupTasks | undefined;
  states: TaskStates;
  open: OpenFiles;
  /** The soft limit of the container's first process; undefined where it has none. */
  openFilesLimit: bigint | undefined;
}
type Family = MetricFamily<Reading>;

const gauge = (name: string, help: string, pick: (reading: Reading) => bigint | undefined): Family => ({
  name,
  help,
  type: "gauge",
  read: (reading) => ifKnown(pick(reading)),
});

export const processFamilies: Family[] = [
  gauge(
    "container_processes",
    "Number of processes running inside the container.",
    ({ tasks }) => tasks && BigInt(tasks.pids.length),
  ),
  gauge("container_threads", "Number of threads running inside the container.", ({ tasks }) => tasks?.threads),
  gauge(
    "container_threads_max",
    "Maximum number of threads allowed inside the container, infinity if value is zero.",
    ({ tasks }) => tasks && (tasks.threadsMax ?? 0n),
  ),
  {
    name: "container_tasks_state",
    help: "Number of tasks in given state.",
    type: "gauge",
    labels: ["state"],
    // who waits for I/O is among the uninterruptible; the kernel tells them apart on version 1 alone
    read: ({ states }) => Object.entries(states).map(([state, count]) => ({ value: BigInt(count), labels: [state] })),
  },
  gauge("container_file_descriptors", "Number of open file descriptors for the container.", ({ open }) =>
    BigInt(open.descriptors),
  ),
  gauge("container_sockets", "Number of open sockets for the container.", ({ open }) => BigInt(open.sockets)),
  {
    name: "container_ulimits_soft",
    help: "Soft ulimit values for the container root process. Unlimited if -1, except priority and nice.",
    type: "gauge",
    labels: ["ulimit"],
    read: ({ openFilesLimit }) => ifKnown(openFilesLimit).map((each) => ({ ...each, labels: ["max_open_files"] })),
  },
];
