import type { Init, ListImagesRequest, ListImagesResponse } from "../../api/messages";
import { imageMessage, isPinned } from "../image-message";
import type { Services } from "../services";

export async function listImages(
  { images, config }: Services,
  { filter }: ListImagesRequest,
): Promise<Init<ListImagesResponse>> {
  const name = filter?.image?.image;
  const one = name ? images.status(name) : undefined;
  const records = name ? (one ? [one] : []) : images.list();
  return { images: records.map((record) => imageMessage(record, isPinned(record, config.images.pinned))) };
}
