import type { Init, ListMetricDescriptorsResponse } from "../../api/messages";
import { metricDescriptors } from "../metrics/families";

/** The same ones always; the kubelet asks once. */
export async function listMetricDescriptors(): Promise<Init<ListMetricDescriptorsResponse>> {
  return { descriptors: metricDescriptors() };
}
