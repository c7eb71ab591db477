import { BerthError } from "../../api/errors";
import { quote } from "../spec/check-text";

/** SPEC.md, "Kind" and "CDI Devices". */
export const kindPattern = /^[A-Za-z]([\w.-]{0,251}[A-Za-z0-9])?\/[A-Za-z]([\w.-]{0,61}[A-Za-z0-9])?$/;
export const devicePattern = /^[A-Za-z0-9]([\w.:-]{0,1023}[A-Za-z0-9])?$/;

const annotationPrefix = "cdi.k8s.io/";

/**
 * The devices that a container asks for, each once: by name, and by the deprecated annotations `cdi.k8s.io/…`, whose
 * values are names with commas between. Throws InvalidArgument for what is no name of the form vendor/class=device.
 */
export function requestedDevices(names: string[], annotations: Record<string, string>): string[] {
  const annotated = Object.entries(annotations)
    .filter(([key]) => key.startsWith(annotationPrefix))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, value]) => value.split(","));
  const all = [...new Set([...names, ...annotated])];
  if (all.length > 1024) throw new BerthError("InvalidArgument", `${all.length} CDI devices are more than 1024`);
  for (const name of all) splitName(name);
  return all;
}

/** vendor/class and the device's own name. Throws InvalidArgument. */
export function splitName(name: string): { kind: string; device: string } {
  const at = name.indexOf("=");
  const [kind, device] = [name.slice(0, Math.max(at, 0)), name.slice(at + 1)];
  if (kindPattern.test(kind) && devicePattern.test(device)) return { kind, device };
  throw new BerthError("InvalidArgument", `the CDI device ${quote(name)} is not of the form vendor/class=device`);
}
