import path from "node:path";
import { BerthError } from "../../api/errors";
import type { SandboxId } from "../../api/ids";
import type { Init, PullEvent } from "../../api/messages";
import { collectNodeGarbage } from "../garbage";
import type { Handlers } from "../server/grpc-server";
import type { Services } from "../services";

/** What the command line needs beyond the CRI. */
export function berthService(services: Services): Handlers<"Berth"> {
  const { images, networks, store } = services;
  return {
    Pull: ({ image }, { signal }) => pullEvents(services, image, signal),
    ImportImages: async ({ path: file, name }) => {
      const records = await images.importArchive(absolute(file), name || undefined);
      return { images: records.map(({ id, tags }) => ({ id, tags })) };
    },
    ExportImage: async ({ image, path: file }) => {
      await images.exportImage(image, absolute(file));
      return {};
    },
    CollectGarbage: (request) =>
      collectNodeGarbage(services, { images: request.images, minAgeMs: Number(request.minAgeS) * 1000 }),
    ForgetNetwork: async ({ podSandboxId }) => {
      if (store.sandboxes.find(podSandboxId)?.isReady)
        throw new BerthError("FailedPrecondition", `sandbox ${podSandboxId} still uses its network: stop it first`);
      return { forgotten: await networks.forget(podSandboxId as SandboxId) };
    },
  };
}

/** Progress as it comes; a slow reader gets the latest of each layer, not every step. */
async function* pullEvents({ images }: Services, image: string, signal: AbortSignal): AsyncGenerator<Init<PullEvent>> {
  const latest = new Map<string, Init<PullEvent>>();
  let wake = () => {};
  const pulled = images
    .pull(image, {
      signal,
      onProgress: ({ digest, state, doneBytes, totalBytes }) => {
        latest.set(digest, { digest, state, doneBytes: BigInt(doneBytes), totalBytes: BigInt(totalBytes) });
        wake();
      },
    })
    .finally(() => wake());
  let ended = false;
  pulled.then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  while (!ended || latest.size > 0) {
    for (const [digest, event] of latest) {
      latest.delete(digest);
      yield event;
    }
    if (ended) break;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 100);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  yield { imageId: (await pulled).id };
}

function absolute(file: string): string {
  if (!path.isAbsolute(file) || file.includes("\0"))
    throw new BerthError("InvalidArgument", `"${file.slice(0, 200)}" is not an absolute path`);
  return file;
}
