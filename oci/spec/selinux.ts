import type { SELinuxOption } from "../../api/messages";
import { invalid, quote } from "./check-text";

export interface SelinuxLabels {
  process?: string;
  mount?: string;
}

/**
 * The labels of the container's options, else of its sandbox's; none where neither has any, or SELinux is off.
 * What an option leaves out is as container-selinux has it. Throws InvalidArgument.
 */
export function selinuxLabels(supported: boolean, options: (SELinuxOption | null | undefined)[]): SelinuxLabels {
  const chosen = options.find((option) => option && (option.user || option.role || option.type || option.level));
  if (!supported || !chosen) return {};
  const user = part("user", chosen.user, "system_u");
  const level = part("level", chosen.level, "s0");
  return {
    process: [user, part("role", chosen.role, "system_r"), part("type", chosen.type, "container_t"), level].join(":"),
    mount: ["system_u", "object_r", "container_file_t", level].join(":"),
  };
}

function part(name: string, value: string, otherwise: string): string {
  const pattern = name === "level" ? /^[\w:.,-]*$/ : /^[\w.-]*$/;
  if (!pattern.test(value)) throw invalid(`the SELinux ${name} ${quote(value)} is no part of a label`);
  return value || otherwise;
}
