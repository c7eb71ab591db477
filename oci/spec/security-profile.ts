import { type SecurityProfile, SecurityProfile_ProfileType as Type } from "../../api/messages";
import { checkNoNul, invalid, quote } from "./check-text";

/** What a seccomp or AppArmor field asks for, whichever of its two forms it came in. */
export type WantedProfile = { kind: "default" } | { kind: "unconfined" } | { kind: "localhost"; ref: string };

const prefix = "localhost/";

/**
 * The new field where it is set, else the deprecated text ("runtime/default", "docker/default", "unconfined",
 * "localhost/…"); undefined where neither is. Throws InvalidArgument.
 */
export function wantedProfile(
  what: string,
  field: SecurityProfile | null,
  deprecated: string,
): WantedProfile | undefined {
  if (!field) return deprecated === "" ? undefined : fromText(what, deprecated);
  if (field.profileType !== Type.Localhost && field.localhostRef !== "") {
    throw invalid(`the ${what} profile has a localhost_ref but is not of the type Localhost`);
  }
  switch (field.profileType) {
    case Type.RuntimeDefault:
      return { kind: "default" };
    case Type.Unconfined:
      return { kind: "unconfined" };
    case Type.Localhost:
      return localhost(what, field.localhostRef);
    default:
      throw invalid(`the ${what} profile type ${field.profileType} is unknown`);
  }
}

function fromText(what: string, text: string): WantedProfile {
  if (text === "runtime/default" || text === "docker/default") return { kind: "default" };
  if (text === "unconfined") return { kind: "unconfined" };
  if (text.startsWith(prefix)) return localhost(what, text);
  throw invalid(`the ${what} profile ${quote(text)} is unknown`);
}

// older clients put the prefix into the new field too
function localhost(what: string, text: string): WantedProfile {
  const ref = text.startsWith(prefix) ? text.slice(prefix.length) : text;
  if (ref === "") throw invalid(`the ${what} profile of the type Localhost has no localhost_ref`);
  return { kind: "localhost", ref: checkNoNul(`the ${what} profile`, ref) };
}
