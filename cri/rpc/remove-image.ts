import { BerthError } from "../../api/errors";
import type { Init, RemoveImageRequest, RemoveImageResponse } from "../../api/messages";
import type { Services } from "../services";

/** Removes the image with all its tags; an unknown one is gone already. */
export async function removeImage(
  { images }: Services,
  { image }: RemoveImageRequest,
): Promise<Init<RemoveImageResponse>> {
  if (!image?.image) throw new BerthError("InvalidArgument", "the request names no image");
  await images.remove(image.image);
  return {};
}
