import type { Init, VersionResponse } from "../../api/messages";
import { runtimeName, version } from "../version";

export async function versionRpc(): Promise<Init<VersionResponse>> {
  return { version: "0.1.0", runtimeName, runtimeVersion: version, runtimeApiVersion: "v1" };
}
