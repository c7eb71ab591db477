import type { Image, Init } from "../api/messages";
import type { ImageRecord } from "../images/types";
import { imageUser } from "../oci/spec/user";

/** An image as the CRI shows it. */
export function imageMessage(record: ImageRecord, isPinned: boolean): Init<Image> {
  const user = imageUser(record.config.User ?? "");
  return {
    id: record.id,
    repoTags: record.tags,
    repoDigests: record.digests,
    // a client takes 0 for an error
    size: BigInt(Math.max(1, record.sizeBytes)),
    uid: user.uid === undefined ? undefined : { value: user.uid },
    username: user.username,
    pinned: isPinned,
  };
}

/** Whether the configuration keeps an image from being removed for space. */
export function isPinned(record: ImageRecord, pinned: string[]): boolean {
  return record.tags.some((tag) => pinned.includes(tag)) || record.digests.some((digest) => pinned.includes(digest));
}
