import { BerthError } from "../../api/errors";
import type { ImageStatusRequest, ImageStatusResponse, Init } from "../../api/messages";
import { imageMessage, isPinned } from "../image-message";
import type { Services } from "../services";

/** No image and no error where there is none. */
export async function imageStatus(
  { images, config }: Services,
  { image, verbose }: ImageStatusRequest,
): Promise<Init<ImageStatusResponse>> {
  if (!image?.image) throw new BerthError("InvalidArgument", "the request names no image");
  const record = images.status(image.image);
  if (!record) return { image: null, info: {} };
  const { config: imageConfig, ...rest } = record;
  return {
    image: imageMessage(record, isPinned(record, config.images.pinned)),
    info: verbose
      ? {
          info: JSON.stringify({
            chainID: record.layers.at(-1)?.chainId ?? "",
            imageSpec: { config: imageConfig },
            ...rest,
          }),
        }
      : {},
  };
}
