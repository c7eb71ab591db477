import { codec, type Init, type StreamImagesRequest, type StreamImagesResponse } from "../../api/messages";

import type { Services } from "../services";
import { inBatches } from "./stream-batches";
import { listImages } from "./list-images";

export async function* streamImages(
  services: Services,
  request: StreamImagesRequest,
): AsyncGenerator<Init<StreamImagesResponse>> {
  const { images = [] } = await listImages(services, request);
  for (const batch of inBatches(images, codec("Image"))) yield { images: batch };
}
