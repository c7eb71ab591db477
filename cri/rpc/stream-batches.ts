import type { Codec, Init } from "../../api/messages";

/** As containerd cuts its streams. */
const maxCount = 1000;
/** A client takes 16 MiB a message. */
const maxBytes = 4 << 20;

/** Cuts a list into messages that any client takes, none of them empty. An item too large for that goes alone. */
export function* inBatches<T>(items: readonly Init<T>[], codec: Codec<T>): Generator<Init<T>[]> {
  let batch: Init<T>[] = [];
  let bytes = 0;
  for (const item of items) {
    const itemBytes = codec.encode(item).length;
    if (batch.length > 0 && (batch.length >= maxCount || bytes + itemBytes > maxBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += itemBytes;
  }
  if (batch.length > 0) yield batch;
}
