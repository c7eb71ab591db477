import type { Init, MetricDescriptor } from "../../api/messages";
import { cpuFamilies } from "./cpu-families";
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
  ...filesystemFamilies,
  ...processFamilies,
  ...specFamilies,
];

/** cAdvisor's metrics, as far as containerd or CRI-O have them. */
export const metricDescriptors = (): Init<MetricDescriptor>[] =>
  [...containerFamilies, ...networkFamilies].map(descriptorOf);
