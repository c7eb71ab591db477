import { BerthError } from "../api/errors";
import { printableText } from "./printable-text";

/** The versions of the CNI specification that this runtime speaks, oldest first. 0.3.0 differs from 0.3.1 in a typo. */
export const supportedVersions = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export type CniVersion = (typeof supportedVersions)[number];

export const isSupportedVersion = (text: unknown): text is CniVersion => supportedVersions.includes(text as CniVersion);

/** Whether `version` is `floor` or newer. */
export const isAtLeast = (version: CniVersion, floor: CniVersion) =>
  supportedVersions.indexOf(version) >= supportedVersions.indexOf(floor);

/**
 * The version to use of what a configuration names in `cniVersion` and, from 1.1 on, in `cniVersions`: the highest
 * that both sides know (CNI spec 1.1.0, section 1, `cniVersions`). Throws InvalidArgument where there is none.
 */
export function chooseVersion(version: unknown, others: unknown): CniVersion {
  if (version !== undefined && typeof version !== "string") {
    throw new BerthError("InvalidArgument", "cniVersion is not a string");
  }
  if (others !== undefined && !(Array.isArray(others) && others.every((other) => typeof other === "string"))) {
    throw new BerthError("InvalidArgument", "cniVersions is not a list of strings");
  }
  const offered = new Set<unknown>([version, ...((others as string[] | undefined) ?? [])]);
  const chosen = supportedVersions.findLast((known) => offered.has(known));
  if (chosen) return chosen;
  const named = [...offered].filter((offer) => offer !== undefined && offer !== "");
  throw new BerthError(
    "InvalidArgument",
    named.length === 0
      ? 'no cniVersion is given, which means 0.1.0: that is no longer supported, write "cniVersion": "1.0.0"'
      : `cniVersion ${printableText(named.join(", "), 100)} is not supported, only ${supportedVersions.join(", ")}`,
  );
}
