import {
  codec,
  type Init,
  type LinuxContainerResources,
  type UpdatePodSandboxResourcesRequest,
  type UpdatePodSandboxResourcesResponse,
} from "../../api/messages";
import { probeCgroupFeatures } from "../../oci/spec/cgroup-features";
import { resourcesOf } from "../../oci/spec/resources";
import type { Services } from "../services";

/**
 * Keeps a pod's limits and overhead as the kubelet has changed them in place (KEP-1287), for the verbose status and for
 * those who ask later. No cgroup is written: the pod's own is the kubelet's, which has set it before it calls, and a pod
 * without a cgroup parent has none. Throws NotFound, InvalidArgument for values that no kernel takes.
 */
export async function updatePodSandboxResources(
  { store, locks, cgroups }: Services,
  { podSandboxId, overhead, resources }: UpdatePodSandboxResourcesRequest,
): Promise<Init<UpdatePodSandboxResourcesResponse>> {
  const { id } = store.sandboxes.get(podSandboxId);
  const features = probeCgroupFeatures(cgroups.version);
  for (const limits of [overhead, resources]) if (limits) resourcesOf(limits, features);
  await locks.run(id, () => {
    // it may have been removed while this waited
    const sandbox = store.sandboxes.get(id);
    store.updateSandbox(sandbox, {
      ...(overhead && { overhead: encode(overhead) }),
      ...(resources && { resources: encode(resources) }),
    });
  });
  return {};
}

const encode = (limits: LinuxContainerResources) => codec("LinuxContainerResources").encode(limits).toString("base64");
