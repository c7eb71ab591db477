import { Worker } from "node:worker_threads";
import { BerthError } from "../../api/errors";
import type { Digest } from "../../api/ids";
import { Limiter } from "../../sys/limiter";
import type { Applied } from "./apply";
import { type ApplyMode, NeedsParents } from "./directories";
import type { Job, JobResult, Order, UnpackLimits } from "./job";

export interface UnpackerOptions {
  /** The compiled images/unpack/worker.ts. */
  workerScript: string;
  /** Layers that are unpacked at once. */
  maxWorkers: number;
}

export interface UnpackRequest {
  /** The layer's blob: a tar, plain or compressed by gzip or zstd. */
  blob: string;
  /** An existing directory, which takes the layer's files. */
  tree: string;
  mode: ApplyMode;
  diffId: Digest;
  limits: UnpackLimits;
  signal?: AbortSignal;
}

/** A thread without work ends after this; until then an image of many small layers need not wait for new ones. */
const idleMs = 1000;
/** V8's heap of one worker: what is remembered of a layer's directories must fit. */
const heapMegabytes = 512;

/**
 * Runs unpacking jobs in threads of their own, one at a time in each. A thread is asked to stop and never terminated: a
 * native module that a thread is just loading or calling ends the whole process then (node-addon-api, pull request 902).
 */
export class Unpacker {
  private readonly limiter: Limiter;
  private readonly idle = new Map<Worker, NodeJS.Timeout>();
  /** Of each thread that there is, when it has ended. */
  private readonly ends = new Map<Worker, Promise<void>>();
  /** Each ends one job that is running. */
  private readonly cancels = new Set<() => void>();
  private isClosed = false;

  constructor(private readonly options: UnpackerOptions) {
    this.limiter = new Limiter(options.maxWorkers);
  }

  /**
   * Applies a layer to a tree, whose files a failure leaves half done. Throws InvalidArgument where the layer is
   * damaged or hostile, ResourceExhausted where a limit or the disk is, NeedsParents in mode `alone`, Cancelled.
   */
  async apply({ signal, ...request }: UnpackRequest): Promise<Applied> {
    const result = await this.limiter.run(() => this.run({ kind: "apply", ...request }, signal));
    if (result.kind !== "applied") throw unexpected(result);
    return result.applied;
  }

  /**
   * Waits until all that was written to the file system of `directory` is on disk, does the renames, and waits until
   * they are too: what has its final name is whole after a power loss.
   */
  async commit(directory: string, renames: [from: string, to: string][]): Promise<void> {
    const result = await this.run({ kind: "commit", directory, renames });
    if (result.kind !== "committed") throw unexpected(result);
  }

  /** Ends all work with Cancelled; resolves when the last thread has ended. Nothing can be run afterwards. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const cancel of this.cancels) cancel();
    for (const [worker, timer] of this.idle) {
      clearTimeout(timer);
      this.end(worker);
    }
    await Promise.all(this.ends.values());
  }

  private run(job: Job, signal?: AbortSignal): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      const rejectCancelled = () => reject(new BerthError("Cancelled", "unpacking was cancelled"));
      if (this.isClosed || signal?.aborted) {
        rejectCancelled();
        return;
      }
      const worker = this.takeWorker();
      const order: Order = { ...job, cancelled: new Int32Array(new SharedArrayBuffer(4)) };
      const cancel = () => void Atomics.store(order.cancelled, 0, 1);
      let settle = (): void => reject(new BerthError("Internal", "the unpacking thread ended without an answer"));
      const onMessage = (result: JobResult) => {
        settle = () => (result.kind === "needs parents" ? reject(new NeedsParents(result.reason)) : resolve(result));
        // its files are closed only now
        if (Atomics.load(order.cancelled, 0) === 1) settle = rejectCancelled;
        onExit();
        this.keepWorker(worker);
      };
      const onError = (error: NodeJS.ErrnoException) => {
        const full = error.code === "ERR_WORKER_OUT_OF_MEMORY";
        const code = full ? "ResourceExhausted" : "Internal";
        settle = () => reject(new BerthError(code, `unpacking failed: ${error.message}`, { cause: error }));
      };
      const onExit = () => {
        signal?.removeEventListener("abort", cancel);
        this.cancels.delete(cancel);
        worker.off("message", onMessage).off("error", onError).off("exit", onExit);
        settle();
      };
      worker.on("message", onMessage).on("error", onError).on("exit", onExit);
      signal?.addEventListener("abort", cancel);
      this.cancels.add(cancel);
      worker.postMessage(order);
    });
  }

  private takeWorker(): Worker {
    for (const [worker, timer] of this.idle) {
      clearTimeout(timer);
      this.idle.delete(worker);
      worker.ref();
      return worker;
    }
    const worker = new Worker(this.options.workerScript, {
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
      execArgv: [],
    });
    // one that fails without work is only forgotten
    worker.on("error", () => {});
    const end = new Promise<void>((resolve) => {
      worker.once("exit", () => {
        this.idle.delete(worker);
        this.ends.delete(worker);
        resolve();
      });
    });
    this.ends.set(worker, end);
    return worker;
  }

  /** Neither the thread nor its timer keeps the process alive. */
  private keepWorker(worker: Worker): void {
    if (this.isClosed) {
      this.end(worker);
      return;
    }
    worker.unref();
    this.idle.set(worker, setTimeout(() => this.end(worker), idleMs).unref());
  }

  /** It has no work, and ends by itself. */
  private end(worker: Worker): void {
    this.idle.delete(worker);
    worker.ref();
    worker.postMessage("end");
  }
}

function unexpected(result: JobResult): BerthError {
  if (result.kind !== "failed") return new BerthError("Internal", `an unpacking thread answered "${result.kind}"`);
  return new BerthError(result.code, result.message, { hint: result.hint });
}
