import fs from "node:fs";
import path from "node:path";
import { BerthError, messageOf } from "../../api/errors";
import { findProgram, runProcess } from "../../sys/spawn";
import { runtimeEnvironment } from "../runtime/runtime-environment";
import { defaultProfile, defaultProfileName } from "./default-profile";
import { isProfileLoaded } from "./loaded-profiles";

export interface DefaultProfileOptions {
  /** The name of a profile that the administrator has loaded; "" for our own. */
  configured: string;
  /** For the file that the parser reads; removed after. */
  scratchDirectory: string;
  /** apparmor_parser, by path or name. */
  parser?: string;
  /** The kernel's list of profiles. */
  profilesFile?: string;
}

const abi = "abi/3.0";

/**
 * The profile that RuntimeDefault stands for, loaded: the administrator's, else our own, which is given to the kernel
 * unless it has one of that name. Undefined with a warning where that can't be done: containers that do not ask for a
 * profile then run without one. Call it only where the kernel has AppArmor. Throws FailedPrecondition where the
 * administrator's is not loaded.
 */
export async function loadDefaultProfile(
  { configured, scratchDirectory, parser = "apparmor_parser", profilesFile }: DefaultProfileOptions,
  warn: (message: string) => void,
): Promise<string | undefined> {
  const name = configured || defaultProfileName;
  const unconfined = (why: string) => {
    warn(`AppArmor is on, but ${why}: containers run unconfined unless they name a profile`);
    return undefined;
  };
  try {
    if (await isProfileLoaded(name, profilesFile)) return name;
  } catch (error) {
    return unconfined(`its profiles can't be listed (${messageOf(error)})`);
  }
  if (configured) {
    throw new BerthError("FailedPrecondition", `runtime.apparmor_profile: the profile "${configured}" is not loaded`, {
      hint: "load it by apparmor_parser before berthd starts, or leave the option empty for the built-in one",
    });
  }
  const program = findProgram(parser);
  if (!program) return unconfined("apparmor_parser is missing (Debian: apt-get install apparmor)");
  const file = path.join(scratchDirectory, `${defaultProfileName}.apparmor`);
  try {
    fs.writeFileSync(file, defaultProfile({ abi: hasAbi() ? abi : undefined, daemonLabel: ownLabel() }));
    // a cache would only keep what is not compiled again anyway
    const args = ["--replace", "--skip-cache", file];
    const { code, stderr } = await runProcess({ file: program, args, env: runtimeEnvironment(), timeoutMs: 60_000 });
    return code === 0 ? name : unconfined(`apparmor_parser refuses our profile: ${stderr.trim().slice(-1000)}`);
  } catch (error) {
    return unconfined(`our profile can't be loaded: ${messageOf(error)}`);
  } finally {
    fs.rmSync(file, { force: true });
  }
}

/** Parsers from 3.0 on want to be told for which kernel interface a policy was written; older ones know no such rule. */
const hasAbi = () => fs.existsSync(`/etc/apparmor.d/${abi}`);

/** The daemon's label; undefined where it is unconfined. */
function ownLabel(): string | undefined {
  try {
    // "name (enforce)" or "unconfined"; the older file is shared with other security modules
    const label = fs.readFileSync("/proc/self/attr/apparmor/current", "utf8").replace(/ \([a-z]+\)\s*$/, "");
    return label.trim() === "unconfined" || /["\n\0]/.test(label.trim()) ? undefined : label.trim();
  } catch {
    return undefined;
  }
}
