import fs from "node:fs/promises";
import { BerthError } from "../../api/errors";
import type { LinuxContainerSecurityContext } from "../../api/messages";
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
 * process.apparmorProfile, undefined for none. Where nothing is asked for, the default profile is meant; a kernel
 * without AppArmor ignores that, but not a profile asked for by name. Throws FailedPrecondition, InvalidArgument.
 */
export async function apparmorProfile(input: AppArmorInput): Promise<string | undefined> {
  const { context, supported, defaultProfile } = input;
  const wanted = wantedProfile("AppArmor", context?.apparmor ?? null, context?.apparmorProfile ?? "") ?? {
    kind: "default",
  };
  if (wanted.kind === "unconfined") return supported ? "unconfined" : undefined;
  if (wanted.kind === "default") return supported && !context?.privileged ? defaultProfile : undefined;
  if (/[\n\s]/.test(wanted.ref)) throw invalid(`the AppArmor profile's name ${quote(wanted.ref)} has a space`);
  if (!supported) {
    const message = `the AppArmor profile ${quote(wanted.ref)} is asked for, but there is no AppArmor here`;
    throw new BerthError("FailedPrecondition", message);
  }
  const loaded = await fs.readFile(input.profilesFile ?? "/sys/kernel/security/apparmor/profiles", "utf8");
  // each line is a name and its mode: "name (enforce)"
  if (!loaded.split("\n").some((line) => line.startsWith(`${wanted.ref} (`))) {
    throw invalid(`the AppArmor profile ${quote(wanted.ref)} is not loaded`);
  }
  return wanted.ref;
}
