import { parseDocument } from "yaml";
import { BerthError } from "../../api/errors";

/** A file as it is (undefined: not there) and as it is to be. */
export interface FileChange {
  file: string;
  before: string | undefined;
  after: string;
}

/** Where the kubelet's flags lie: kubeadm's own, those of Debian's and of Red Hat's packages, and a unit's command line. */
const flagFiles = [
  "/var/lib/kubelet/kubeadm-flags.env",
  "/etc/default/kubelet",
  "/etc/sysconfig/kubelet",
  "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
];
/** Where kubeadm says what one node has of its own (NodeLocalCRISocket); laid over the kubelet's configuration. */
const instanceConfig = "/var/lib/kubelet/instance-config.yaml";
/** The kubelet's, where nothing says another. */
const defaultEndpoint = "unix:///run/containerd/containerd.sock";

const endpointFlag = /(--(?:container-runtime|image-service)-endpoint[= ])([^\s"']+)/g;
const runtimeCgroupFlag = /(--runtime-cgroups[= ][^\s"']*\/)(?:containerd|crio|cri-docker|docker)\.service/g;
const endpointKeys = ["containerRuntimeEndpoint", "imageServiceEndpoint"] as const;

export interface KubeletFiles {
  /** A file's text; undefined where there is none. */
  read(file: string): string | undefined;
  /** The kubelet's configuration, KubeletConfiguration of kubelet.config.k8s.io/v1beta1. */
  config: string;
}

/** The runtime that the kubelet uses by its files. A flag counts more than a file, as with the kubelet. */
export function currentEndpoint({ read, config }: KubeletFiles): string {
  for (const file of flagFiles) {
    for (const [, flag, value] of (read(file) ?? "").matchAll(endpointFlag)) {
      if (flag!.startsWith("--container-runtime")) return value!;
    }
  }
  for (const file of [instanceConfig, config]) {
    const value = parse(file, read(file) ?? "").get(endpointKeys[0]);
    if (typeof value === "string" && value !== "") return value;
  }
  return defaultEndpoint;
}

/**
 * What has to change for the kubelet to use `endpoint`: every place that names a runtime, and the configuration where
 * none does. Comments and all else stay. Throws NotFound where there is nothing to write it to.
 */
export function switchEndpoint({ read, config }: KubeletFiles, endpoint: string): FileChange[] {
  const changes: FileChange[] = [];
  let named = false;
  const propose = (file: string, before: string, after: string) => {
    if (after !== before) changes.push({ file, before, after });
  };
  for (const file of flagFiles) {
    const before = read(file);
    if (before === undefined) continue;
    named ||= before.search(endpointFlag) >= 0;
    propose(file, before, before.replace(endpointFlag, `$1${endpoint}`).replace(runtimeCgroupFlag, "$1berth.service"));
  }
  for (const file of [instanceConfig, config]) {
    const before = read(file);
    if (before === undefined) continue;
    const document = parse(file, before);
    const keys = endpointKeys.filter((key) => document.get(key));
    named ||= keys.includes(endpointKeys[0]);
    // the last place is the one that is there on every node
    if (file === config && !named) {
      keys.push(endpointKeys[0]);
      named = true;
    }
    if (keys.every((key) => document.get(key) === endpoint)) continue;
    for (const key of keys) document.set(key, endpoint);
    propose(file, before, document.toString({ lineWidth: 0 }));
  }
  if (!named) {
    throw new BerthError("NotFound", `no file of the kubelet's is there: ${[...flagFiles, config].join(", ")}`, {
      hint: "name its configuration with --kubelet-config",
    });
  }
  return changes;
}

function parse(file: string, text: string) {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error) throw new BerthError("InvalidArgument", `${file}: ${error.message}`);
  return document;
}
