import type { Init, StatusRequest, StatusResponse } from "../../api/messages";
import { userNamespaceObstacle } from "../sandbox/user-namespace";
import type { Services } from "../services";
import { version } from "../version";

/**
 * RuntimeReady holds while the daemon answers; NetworkReady follows the CNI configuration alone, so that a node
 * without one can still run its network pod.
 */
export async function status(services: Services, request: StatusRequest): Promise<Init<StatusResponse>> {
  const { networks, runtimes } = services;
  const network = networks.status();
  return {
    status: {
      conditions: [
        { type: "RuntimeReady", status: true, reason: "", message: "" },
        { type: "NetworkReady", status: network.ready, reason: network.reason, message: network.message },
      ],
    },
    info: request.verbose ? verboseInfo(services) : {},
    runtimeHandlers: ["", ...runtimes.names()].map((name) => ({
      name,
      features: {
        recursiveReadOnlyMounts: runtimes.get(name).features.recursiveReadOnlyMounts,
        userNamespaces: userNamespaceObstacle(services, name) === undefined,
      },
    })),
    features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: false, mountOptions: true },
  };
}

/** Each value is JSON. `config` has `stateDir`, as clients know it from containerd. */
function verboseInfo(services: Services): Record<string, string> {
  const { config, cgroups, cgroupDriver, runtimes, networks, store } = services;
  const { images, ...open } = config;
  const { registries: _secrets, ...imageOptions } = images;
  return {
    config: JSON.stringify({ ...open, images: imageOptions, stateDir: config.state, rootDir: config.root }),
    runtime: JSON.stringify({
      version,
      node: process.version,
      defaultHandler: runtimes.defaultName,
      handlers: Object.fromEntries(runtimes.names().map((name) => [name, runtimes.get(name).features])),
      cgroupVersion: cgroups.version,
      cgroupDriver,
      noUserNamespaces: services.noUserNamespaces,
    }),
    network: JSON.stringify({ name: networks.networkName() ?? null, ...networks.status() }),
    objects: JSON.stringify({ sandboxes: store.sandboxes.list().length, containers: store.containers.list().length }),
  };
}
