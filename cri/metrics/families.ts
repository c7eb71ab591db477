import type { Init, MetricDescriptor } from "../../api/messages";
import type { CgroupVersion } from "../../sys/cgroups";
import { cpuFamilies, loadFamilies } from "./cpu-families";
import { descriptorOf, type MetricFamily } from "./family";
import { filesystemFamilies } from "./filesystem-families";
import { memoryFamilies } from "./memory-families";
import { networkFamilies } from "./network-families";
import { pressureFamilies } from "./pressure-families";
import { processFamilies } from "./process-families";
import type { CgroupReading, ContainerReading } from "./readings";
import { specFamilies } from "./spec-families";

/** What can be told of anything that has a cgroup: a container, and a pod with one of its own. */
export const cgroupFamilies: MetricFamily<CgroupReading>[] = [...cpuFamilies, ...memoryFamilies, ...pressureFamilies];

/** What is told of each container. */
export const containerFamilies: MetricFamily<ContainerReading>[] = [
  ...cgroupFamilies,
  ...loadFamilies,
  ...filesystemFamilies,
  ...processFamilies,
  ...specFamilies,
];

/**
 * cAdvisor's metrics that the kubelet serves, and those of huge pages, as far as this version of cgroups counts them: who
 * reads the list counts on a value for each. Not among them are counts by the BFQ scheduler and by iocost, which hardly a
 * kernel keeps, and what the kubelet leaves out: sockets by protocol, NUMA pages, perf events.
 */
export const metricDescriptors = (version: CgroupVersion): Init<MetricDescriptor>[] =>
  [...containerFamilies, ...networkFamilies]
    .filter(({ only }) => only === undefined || only === version)
    .map((family) => descriptorOf(family));
