import type { Init, ListMetricDescriptorsResponse } from "../../api/messages";
import { metricDescriptors } from "../metrics/families";
import type { Services } from "../services";

/** The same ones always; the kubelet asks once. */
export async function listMetricDescriptors({ cgroups }: Services): Promise<Init<ListMetricDescriptorsResponse>> {
  return { descriptors: metricDescriptors(cgroups.version) };
}
