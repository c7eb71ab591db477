import { BerthError } from "../../api/errors";
import type { LinuxContainerSecurityContext } from "../../api/messages";
import type { SpecSeccomp } from "../runtime-spec";
import { defaultProfile } from "../seccomp/default-profile";
import { readProfile } from "../seccomp/profile-file";
import { wantedProfile } from "./security-profile";

export interface SeccompInput {
  context: Pick<LinuxContainerSecurityContext, "seccomp" | "seccompProfilePath" | "privileged"> | null;
  /** The kernel and the runtime have seccomp. */
  supported: boolean;
  /** A profile to stand for RuntimeDefault instead of the built-in one. */
  defaultProfilePath?: string;
  /** The container's bounding set: it opens system calls in the built-in profile. */
  capabilities: string[];
}

/**
 * linux.seccomp, undefined for unconfined: which is what neither field set, or a privileged container, means.
 * Throws InvalidArgument for a bad profile, FailedPrecondition where one is wanted and there is no seccomp.
 */
export async function specSeccomp(input: SeccompInput): Promise<SpecSeccomp | undefined> {
  const { context, supported, defaultProfilePath, capabilities } = input;
  const wanted = wantedProfile("seccomp", context?.seccomp ?? null, context?.seccompProfilePath ?? "");
  if (!wanted || wanted.kind === "unconfined" || context?.privileged) return undefined;
  if (!supported) {
    throw new BerthError("FailedPrecondition", "a seccomp profile is asked for, but there is no seccomp here", {
      hint: "the kernel needs CONFIG_SECCOMP_FILTER, and the runtime must be built with seccomp",
    });
  }
  if (wanted.kind === "localhost") return readProfile(wanted.ref);
  return defaultProfilePath ? readProfile(defaultProfilePath) : defaultProfile(capabilities);
}
