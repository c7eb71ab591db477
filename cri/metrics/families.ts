import type { Init, MetricDescriptor } from "../../api/messages";
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
 * cAdvisor's metrics that the kubelet serves, and those of huge pages. Not among them are I/O time weighted by device,
 * which no cgroup counts, and what the kubelet leaves out: counts of sockets by protocol, NUMA pages, perf events.
 */
export const metricDescriptors = (): Init<MetricDescriptor>[] =>
  [...containerFamilies, ...networkFamilies].map(descriptorOf);
