import { BerthError } from "../../api/errors";
import type { LinuxContainerSecurityContext } from "../../api/messages";
import { isProfileLoaded } from "../apparmor/loaded-profiles";
import { invalid, quote } from "./check-text";
import { wantedProfile } from "./security-profile";

export interface AppArmorInput {
  context: Pick<LinuxContainerSecurityContext, "apparmor" | "apparmorProfile" | "privileged"> | null;
  supported: boolean;
  /** The loaded profile that stands for RuntimeDefault; none otherwise. */
  defaultProfile?: string;
  profilesFile?: string;
}

/**
 * process.apparmorProfile, undefined for none. Where nothing is asked for, the default profile is meant, if there is one;
 * privileged containers have none unless they name it. A kernel without AppArmor ignores RuntimeDefault, but not a
 * profile asked for by name. Throws FailedPrecondition, InvalidArgument.
 */
export async function apparmorProfile(input: AppArmorInput): Promise<string | undefined> {
  const { context, supported, defaultProfile } = input;
  const asked = wantedProfile("AppArmor", context?.apparmor ?? null, context?.apparmorProfile ?? "");
  const wanted = asked ?? { kind: "default" };
  if (wanted.kind === "unconfined") return supported ? "unconfined" : undefined;
  if (wanted.kind === "default") {
    if (!supported || context?.privileged) return undefined;
    if (asked && defaultProfile === undefined) {
      throw new BerthError("FailedPrecondition", "AppArmor's RuntimeDefault is asked for, but it could not be loaded", {
        hint: "berthd's first log lines tell why",
      });
    }
    return defaultProfile;
  }
  if (/[\n\s]/.test(wanted.ref)) throw invalid(`the AppArmor profile's name ${quote(wanted.ref)} has a space`);
  if (!supported) {
    const message = `the AppArmor profile ${quote(wanted.ref)} is asked for, but there is no AppArmor here`;
    throw new BerthError("FailedPrecondition", message);
  }
  if (!(await isProfileLoaded(wanted.ref, input.profilesFile))) {
    throw invalid(`the AppArmor profile ${quote(wanted.ref)} is not loaded`);
  }
  return wanted.ref;
}
