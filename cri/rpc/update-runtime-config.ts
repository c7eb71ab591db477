import type { Init, UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse } from "../../api/messages";
import type { Services } from "../services";

/** Keeps the node's pod CIDRs for plugins with the capability ipRanges. */
export async function updateRuntimeConfig(
  { networks }: Services,
  request: UpdateRuntimeConfigRequest,
): Promise<Init<UpdateRuntimeConfigResponse>> {
  const cidrs = request.runtimeConfig?.networkConfig?.podCidr ?? "";
  networks.setPodCidrs(cidrs.split(",").filter(Boolean));
  return {};
}
