import { BerthError } from "../../api/errors";
import type { Init, PullImageRequest, PullImageResponse } from "../../api/messages";
import { faultPoint } from "../../sys/fault-points";
import type { CallContext } from "../server/interceptor";
import type { Services } from "../services";

export async function pullImage(
  { images, runtimes }: Services,
  { image, auth }: PullImageRequest,
  { signal }: CallContext,
): Promise<Init<PullImageResponse>> {
  if (!image?.image) throw new BerthError("InvalidArgument", "the request names no image");
  // every handler runs the same images, but one that is not there would never run it (KEP-4216)
  if (image.runtimeHandler) runtimes.get(image.runtimeHandler);
  const record = await images.pull(image.image, { auth: auth ?? undefined, signal });
  await faultPoint("PullImage.answer");
  return { imageRef: record.id };
}
