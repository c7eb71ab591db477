import { createHash } from "node:crypto";
import fs from "node:fs";
import { parentPort } from "node:worker_threads";
import { BerthError, codeOf, messageOf } from "../../api/errors";
import { confineThread } from "../../sys/chroot";
import { faultPoint } from "../../sys/fault-points";
import { errnoOf } from "../../sys/libc";
import { dropFromPageCache } from "../../sys/page-cache";
import { syncFilesystem } from "../../sys/sync-filesystem";
import { isDiskFault } from "../disk-error";
import { type Applied, LayerWriter, WhiteoutRemover } from "./apply";
import { decompressed } from "./decompress";
import { Directories, NeedsParents } from "./directories";
import type { Job, JobResult, Order } from "./job";
import { isLayersFault } from "./layers-fault";
import type { TarSink } from "./tar-entry";
import { TarReader } from "./tar-reader";

/**
 * The entry point of an unpacking thread: does jobs one after another. The thread's root is the layer's tree from before
 * the first entry is read until the last is written, and all calls that take a path are synchronous, so that they run
 * on this thread.
 */
async function run(job: Order): Promise<JobResult> {
  if (job.kind === "commit") {
    await faultPoint("PullImage.commit-sync");
    syncFilesystem(job.directory);
    await faultPoint("PullImage.commit-rename");
    for (const [from, to] of job.renames) fs.renameSync(from, to);
    await faultPoint("PullImage.commit-renamed");
    syncFilesystem(job.directory);
    return { kind: "committed" };
  }
  return { kind: "applied", applied: await apply(job) };
}

type ApplyOrder = Order<Job & { kind: "apply" }>;

async function apply(job: ApplyOrder): Promise<Applied> {
  goOn(job);
  const blob = fs.openSync(job.blob, "r");
  try {
    await faultPoint("PullImage.unpacking");
    const release = confineThread(job.tree);
    let applied: Applied;
    try {
      applied = await write(blob, job);
    } finally {
      release();
    }
    dropFromPageCache(blob);
    await faultPoint("PullImage.unpacked");
    return applied;
  } finally {
    fs.closeSync(blob);
  }
}

async function write(blob: number, job: ApplyOrder): Promise<Applied> {
  const directories = new Directories("", job.mode);
  if (job.mode === "merged") await readLayer(blob, job, new WhiteoutRemover(directories));
  const writer = new LayerWriter(directories, job.mode);
  try {
    await readLayer(blob, job, writer);
    return writer.finish();
  } finally {
    writer.close();
  }
}

/** One pass over the layer: inflates on libuv's threads while this one hashes and writes. */
async function readLayer(blob: number, job: ApplyOrder, sink: TarSink): Promise<void> {
  const { diffId, limits } = job;
  const hash = createHash("sha256");
  const reader = new TarReader(sink, limits.mostEntries);
  let total = 0;
  for await (const bytes of decompressed(blob)) {
    goOn(job);
    total += bytes.length;
    if (total > limits.mostBytes) {
      throw new BerthError("ResourceExhausted", `the layer unpacks to more than ${limits.mostBytes} bytes`, {
        hint: "its compressed size promises less; is it an image that you trust?",
      });
    }
    hash.update(bytes);
    reader.write(bytes);
  }
  reader.end();
  const digest = `sha256:${hash.digest("hex")}`;
  if (digest !== diffId) throw new BerthError("InvalidArgument", `the layer's tar is ${digest}, not ${diffId}`);
}

function goOn({ cancelled }: Order): void {
  if (Atomics.load(cancelled, 0) === 1) throw new BerthError("Cancelled", "unpacking was cancelled");
}

function failure(error: unknown): JobResult {
  if (error instanceof NeedsParents) return { kind: "needs parents", reason: error.message };
  const errno = errnoOf(error);
  const code = isLayersFault(errno) ? "InvalidArgument" : isDiskFault(error) ? "ResourceExhausted" : codeOf(error);
  const hint = error instanceof BerthError ? error.hint : undefined;
  return { kind: "failed", code, message: messageOf(error), hint };
}

parentPort?.on("message", (order: Order | "end") => {
  if (order === "end") {
    parentPort?.close();
    return;
  }
  void run(order)
    .catch(failure)
    .then((result) => parentPort?.postMessage(result));
});
