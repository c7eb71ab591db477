/** Put there by test/e2e/environment.cjs. */
const { kubernetesClient: k8s } = globalThis as unknown as {
  kubernetesClient: typeof import("@kubernetes/client-node");
};

export type {
  V1Container,
  V1EphemeralContainer,
  V1Pod,
  V1PodSpec,
  V1ContainerStatus,
  KubernetesObject,
} from "@kubernetes/client-node";

const config = new k8s.KubeConfig();
// Set by hack/cluster.mjs, under which these tests run.
config.loadFromFile(process.env["KUBECONFIG"] ?? "");

export const core = config.makeApiClient(k8s.CoreV1Api);
export const apps = config.makeApiClient(k8s.AppsV1Api);
export const batch = config.makeApiClient(k8s.BatchV1Api);
export const objects = k8s.KubernetesObjectApi.makeApiClient(config);
