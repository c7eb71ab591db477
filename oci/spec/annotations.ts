import type { SpecInput } from "./input";

/** Known to be obeyed by runtimes as orders about the host; no pod gives them, whatever the configuration lets through. */
const forbidden = ["org.systemd.property.", "run.oci.hooks.", "run.oci.handler", "run.oci.systemd."];

/**
 * The annotations of the spec: the request's that the handler's configuration lets through (CVE-2024-3154), and over
 * them those by which runtimes such as Kata tell pods apart, named as containerd names them.
 */
export function specAnnotations(input: SpecInput): Record<string, string> {
  const { sandbox, config, image } = input;
  const asked = { ...sandbox.config.annotations, ...config.annotations };
  const allowed = Object.entries(asked).filter(([key]) => isAllowed(key, input.allowedAnnotations ?? []));
  const pod = sandbox.config.metadata;
  return {
    ...Object.fromEntries(allowed),
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.sandbox-id": sandbox.id,
    "io.kubernetes.cri.sandbox-name": pod?.name ?? "",
    "io.kubernetes.cri.sandbox-namespace": pod?.namespace ?? "",
    "io.kubernetes.cri.sandbox-uid": pod?.uid ?? "",
    "io.kubernetes.cri.container-name": config.metadata?.name ?? "",
    "io.kubernetes.cri.image-name": image.name,
  };
}

function isAllowed(key: string, patterns: string[]): boolean {
  if (forbidden.some((prefix) => key.startsWith(prefix)) || key.startsWith("io.kubernetes.cri.")) return false;
  return patterns.some((pattern) => (pattern.endsWith("*") ? key.startsWith(pattern.slice(0, -1)) : key === pattern));
}
