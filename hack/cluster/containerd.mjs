// containerd as the node's runtime, in Berth's place: to see what it takes on the same machine under the same kubelet.
// hack/build-containerd.sh makes it.
import path from "node:path";
import { tomlDocument } from "../support/daemon.cjs";
import { runtimeOptions } from "../support/runtime.cjs";
import { PROJECT } from "./node.cjs";
import { installManifests, listensOn, mirrorEverything, writeFile } from "./runtime-files.mjs";
import { keepRunning, waitFor } from "./services.cjs";

const SOCKET = "/run/containerd/containerd.sock";
const PROGRAMS = path.join(PROJECT, "build/containerd");

/** The same runc, network and registry as Berth's. */
function configuration() {
  const BinaryName = runtimeOptions().handlers?.runc.path ?? "runc";
  return {
    version: 3,
    plugins: {
      '"io.containerd.cri.v1.images"': {
        pinned_images: { sandbox: "registry.k8s.io/pause:3.10" },
        registry: { config_path: "/etc/containerd/certs.d" },
      },
      '"io.containerd.cri.v1.runtime"': {
        // Without CAP_SYS_RESOURCE.
        restrict_oom_score_adj: true,
        cni: { bin_dirs: ["/opt/cni/bin", "/usr/lib/cni"], conf_dir: "/etc/cni/net.d" },
        containerd: {
          runtimes: { runc: { runtime_type: "io.containerd.runc.v2", options: { BinaryName, SystemdCgroup: false } } },
        },
      },
    },
  };
}

/** @param registry the URL that stands for every registry */
export async function startContainerd({ registry, cgroups }) {
  const endpoint = `unix://${SOCKET}`;
  installManifests(endpoint);
  mirrorEverything("/etc/containerd/certs.d", registry);
  writeFile("/etc/containerd/config.toml", tomlDocument(configuration()));
  const environment = { PATH: `${PROGRAMS}:${process.env.PATH}` };
  keepRunning({ name: "containerd", command: [path.join(PROGRAMS, "containerd")], cgroups, environment });
  await waitFor("containerd listens", { of: "containerd" }, () => listensOn(SOCKET));
  return endpoint;
}
