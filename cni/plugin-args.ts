import { BerthError } from "../api/errors";

/** Whose network it is; from the pod's metadata. */
export interface PodNames {
  sandboxId: string;
  namespace: string;
  name: string;
  uid: string;
}

// libcni splits at ";" and "=": a value with one of them would pass for arguments of its own, or be refused.
const forbidden = /[;=\u0000-\u001f\u007f]/;
const limitChars = 1024;

/**
 * CNI_ARGS with the keys that Kubernetes' runtimes hand to plugins (CNI spec 1.1.0, section 2, and the conventions'
 * table of CNI_ARGS). Throws InvalidArgument for a value that could be taken for something else.
 */
export function podArgs({ sandboxId, namespace, name, uid }: PodNames): string {
  const pairs: [string, string][] = [
    ["IgnoreUnknown", "1"],
    ["K8S_POD_NAMESPACE", namespace],
    ["K8S_POD_NAME", name],
    ["K8S_POD_INFRA_CONTAINER_ID", sandboxId],
    ["K8S_POD_UID", uid],
  ];
  for (const [key, value] of pairs) {
    if (value.length > limitChars || forbidden.test(value)) {
      throw new BerthError("InvalidArgument", `${key} ${JSON.stringify(value.slice(0, 100))} cannot be a CNI argument`);
    }
  }
  return pairs.map(([key, value]) => `${key}=${value}`).join(";");
}

/** Whose network CNI_ARGS of podArgs() were for; empty for what they do not say. */
export function namesOfArgs(args: string): Omit<PodNames, "sandboxId"> {
  const pairs = args.split(";").map((pair) => pair.split("="));
  const of = (key: string) => pairs.find(([name]) => name === key)?.[1] ?? "";
  return { namespace: of("K8S_POD_NAMESPACE"), name: of("K8S_POD_NAME"), uid: of("K8S_POD_UID") };
}
