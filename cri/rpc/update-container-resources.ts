import { BerthError, during } from "../../api/errors";
import {
  codec,
  ContainerState,
  type Init,
  type LinuxContainerResources,
  type UpdateContainerResourcesRequest,
  type UpdateContainerResourcesResponse,
} from "../../api/messages";
import { probeCgroupFeatures } from "../../oci/spec/cgroup-features";
import { resourcesOf } from "../../oci/spec/resources";
import { limitCgroupHugepages } from "../../sys/cgroup-hugepages";
import type { Services } from "../services";

/** Changes the limits of a container that is created or runs; what the request leaves at zero stays as it is. */
export async function updateContainerResources(
  services: Services,
  { containerId, linux }: UpdateContainerResourcesRequest,
): Promise<Init<UpdateContainerResourcesResponse>> {
  const { store, runtimes, locks, cgroups, paths } = services;
  const container = store.containers.get(containerId);
  if (!linux) return {};
  await locks.run(container.id, async () => {
    if (container.state === ContainerState.CONTAINER_EXITED) {
      throw new BerthError("FailedPrecondition", `container ${container.id} has exited, its limits can't be changed`);
    }
    const merged = merge(container.resources, linux);
    const { resources } = resourcesOf(merged, probeCgroupFeatures(cgroups.version));
    try {
      // runc takes these in a creation alone, and says nothing
      for (const pages of resources.hugepageLimits ?? [])
        limitCgroupHugepages(cgroups, container.record.cgroups, pages);
      await runtimes.get(container.record.handler).update(container.id, resources, paths.container(container.id));
    } catch (error) {
      throw during(`container ${container.id}: the limits could not be changed`, error);
    }
    store.updateContainer(container, { resources: codec("LinuxContainerResources").encode(merged).toString("base64") });
  });
  return {};
}

function merge(old: LinuxContainerResources, change: LinuxContainerResources): LinuxContainerResources {
  const merged: Record<string, unknown> = { ...old };
  for (const [name, value] of Object.entries(change)) {
    const isUnset = value === 0n || value === "" || (Array.isArray(value) && value.length === 0);
    if (!isUnset) merged[name] = value;
  }
  const pages = new Map([...old.hugepageLimits, ...change.hugepageLimits].map((each) => [each.pageSize, each]));
  merged["hugepageLimits"] = [...pages.values()];
  merged["unified"] = { ...old.unified, ...change.unified };
  // a limit of nothing: it is written to the processes when they start
  merged["oomScoreAdj"] = old.oomScoreAdj;
  return merged as unknown as LinuxContainerResources;
}
