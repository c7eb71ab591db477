import { codeOf, type ErrorCode } from "../api/errors";
import type { CollectedGarbage } from "./image-gc";
import type { PullRequest } from "./pull";

export interface PullOutcome {
  /** As it was asked for, without what may be secret. */
  image: string;
  code: "OK" | ErrorCode;
  /** From the request to the image's being whole, unpacking included. */
  seconds: number;
  /** What came from a registry for it. */
  bytes: number;
}

/** Told of what images cost. */
export interface ImageObserver {
  pullStarted(): void;
  pullEnded(outcome: PullOutcome): void;
  /** Bytes of blobs as they come from a registry. */
  received(bytes: number): void;
  collected(removed: CollectedGarbage): void;
}

/** Runs `pull` and tells the observer of it. */
export async function observedPull<T>(
  observer: ImageObserver,
  image: string,
  asked: PullRequest,
  pull: (request: PullRequest) => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const bytesOf = new Map<string, number>();
  const onProgress: PullRequest["onProgress"] = (event) => {
    if (event.state === "downloading") bytesOf.set(event.digest, event.doneBytes);
    asked.onProgress?.(event);
  };
  const end = (code: PullOutcome["code"]) => {
    const bytes = [...bytesOf.values()].reduce((sum, each) => sum + each, 0);
    observer.pullEnded({ image, code, seconds: (performance.now() - start) / 1000, bytes });
  };
  observer.pullStarted();
  try {
    const result = await pull({ ...asked, onProgress });
    end("OK");
    return result;
  } catch (error) {
    end(codeOf(error));
    throw error;
  }
}
