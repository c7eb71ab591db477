import type { Digest } from "../../api/ids";
import type { ErrorCode } from "../../api/errors";
import type { Applied } from "./apply";
import type { ApplyMode } from "./directories";

/** Bounds against archives that are far larger than they look. */
export interface UnpackLimits {
  /** Entries of one layer. */
  mostEntries: number;
  /** Bytes of one layer's tar, uncompressed. */
  mostBytes: number;
}

/** What a worker does. */
export type Job =
  | {
      kind: "apply";
      /** The layer's blob, in any compression. */
      blob: string;
      /** The directory that becomes the worker's root. */
      tree: string;
      mode: ApplyMode;
      diffId: Digest;
      limits: UnpackLimits;
    }
  /** Waits until the file system of `directory` is on disk, renames files in it, and waits again. */
  | { kind: "commit"; directory: string; renames: [from: string, to: string][] };

/** What is sent to a worker. */
export type Order<W extends Job = Job> = W & {
  /** One cell, which is 1 as soon as nobody wants the job done: Atomics.load() sees it at once. */
  cancelled: Int32Array;
};

/** A worker's one answer. */
export type JobResult =
  | { kind: "applied"; applied: Applied }
  | { kind: "committed" }
  | { kind: "needs parents"; reason: string }
  | { kind: "failed"; code: ErrorCode; message: string; hint: string | undefined };
