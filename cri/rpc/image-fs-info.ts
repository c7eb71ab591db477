import type { FilesystemUsage, ImageFsInfoResponse, Init } from "../../api/messages";
import { nowNs } from "../clock";
import type { Services } from "../services";

/** The image store, and apart from it what the containers have written. */
export async function imageFsInfo({ images }: Services): Promise<Init<ImageFsInfoResponse>> {
  const usage = await images.fsUsage();
  const timestamp = nowNs();
  const message = (each: (typeof usage)["images"]): Init<FilesystemUsage> => ({
    timestamp,
    fsId: { mountpoint: each.mountpoint },
    usedBytes: { value: BigInt(each.usedBytes) },
    inodesUsed: { value: BigInt(each.inodesUsed) },
  });
  return { imageFilesystems: [message(usage.images)], containerFilesystems: [message(usage.containers)] };
}
