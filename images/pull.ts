import { createHash } from "node:crypto";
import type { Config } from "../api/config/schema";
import { BerthError, codeOf, during, messageOf } from "../api/errors";
import type { Digest } from "../api/ids";
import { faultPoint } from "../sys/fault-points";
import { KeyedLock } from "../sys/keyed-lock";
import { Limiter } from "../sys/limiter";
import type { RetryPolicy } from "./back-off";
import { type AuthConfig, loadCredentials } from "./credentials";
import { abortError } from "./http-body";
import { maxConfigBytes, parseImageConfig } from "./image-config";
import { fetchManifests } from "./manifest-chain";
import { formatReference, type Reference } from "./reference";
import { RegistryClient } from "./registry-client";
import { findRegistryHosts } from "./registry-hosts";
import { withoutSecrets } from "./remote-text";
import { SharedRuns } from "./shared-runs";
import type { BlobStore, Descriptor, ImageConfig, ImageManifest, PullProgress } from "./types";

export interface PullOptions {
  images: Pick<
    Config["images"],
    "certs_dirs" | "auth_files" | "registries" | "max_concurrent_downloads" | "progress_timeout_s"
  >;
  /** Another than the default one, for tests. */
  retry?: RetryPolicy;
}

export interface PullModules {
  store: BlobStore;
  /** Called once for each layer as soon as its blob is there, in the order of arrival. It must not throw. */
  layerReady?(ready: { index: number; manifest: ImageManifest; config: ImageConfig }): void;
  /** Told of the bytes of blobs as they come from a registry. */
  received?(bytes: number): void;
}

export interface PullRequest {
  auth?: AuthConfig;
  signal?: AbortSignal;
  onProgress?: PullProgress;
}

export interface PulledImage {
  reference: Reference;
  /** Of this machine's platform. */
  manifest: ImageManifest;
  config: ImageConfig;
  configDigest: Digest;
  /** Of what the reference stands for: the manifest, or the index that it was chosen from. */
  topDigest: Digest;
}

type ProgressEvent = Parameters<PullProgress>[0];

/** One pull under way. */
interface Job {
  reference: Reference;
  client: RegistryClient;
  signal: AbortSignal;
  emit: PullProgress;
}

/** Fetches images into the store: manifests and configuration as well as layers. Records nothing of them. */
export class Puller {
  private readonly runs = new SharedRuns<PulledImage, ProgressEvent>();
  private readonly blobs = new KeyedLock();

  constructor(
    private readonly options: PullOptions,
    private readonly modules: PullModules,
  ) {}

  /**
   * Resolves when every blob of the image is in the store. Those who ask for the same image with the same credentials
   * at the same time share one pull. Throws as RegistryClient does, InvalidArgument and FailedPrecondition for what
   * the registry serves but is no image for this machine, NotFound where it has none for its platform, and Cancelled
   * (or the signal's own BerthError) as soon as the signal aborts.
   */
  pull(reference: Reference, request: PullRequest = {}): Promise<PulledImage> {
    const { auth, signal, onProgress } = request;
    const identity = JSON.stringify([formatReference(reference), fieldsOf(auth)]);
    const key = createHash("sha256").update(identity).digest("hex");
    return this.runs.join(key, { signal, onEvent: onProgress }, (shared, emit) =>
      this.run({ reference, signal: shared, emit }, auth),
    );
  }

  private async run(asked: Omit<Job, "client">, auth: AuthConfig | undefined): Promise<PulledImage> {
    const { certs_dirs, auth_files, registries, progress_timeout_s } = this.options.images;
    const { reference } = asked;
    // so that the first layer that fails ends the others
    const ended = new AbortController();
    const signal = AbortSignal.any([asked.signal, ended.signal]);
    const client = new RegistryClient({
      reference,
      hosts: await findRegistryHosts(reference.host, certs_dirs),
      credentialsFor: await loadCredentials({ auth, registries, authFiles: auth_files }),
      progressTimeoutMs: progress_timeout_s * 1000,
      retry: this.options.retry,
      signal,
    });
    try {
      return await this.fetchImage({ ...asked, client, signal }, () => ended.abort());
    } catch (error) {
      const name = formatReference(reference);
      const isNamed = codeOf(error) === "Cancelled" || messageOf(error).includes(name);
      // whatever a registry says, in a header, a name or a document, may be what it was sent
      throw withoutSecrets(isNamed ? error : during(`pulling ${name}`, error), client.secrets);
    } finally {
      client.close();
    }
  }

  private async fetchImage(job: Job, end: () => void): Promise<PulledImage> {
    const { store } = this.modules;
    await faultPoint("PullImage.manifest");
    const { topDigest, manifest } = await fetchManifests(job.client, store);
    const config = parseImageConfig(await this.fetchConfig(job, manifest.config), manifest);
    for (const layer of manifest.layers) report(job, layer, { state: "waiting", doneBytes: 0 });
    const limiter = new Limiter(this.options.images.max_concurrent_downloads);
    let failure: unknown;
    await Promise.all(
      manifest.layers.map((layer, index) =>
        limiter.run(async () => {
          try {
            await this.fetchBlob(job, layer);
            // its last bytes may have come as the pull was given up: the blob is no longer kept for it
            if (job.signal.aborted) throw abortError(job.signal);
            this.modules.layerReady?.({ index, manifest, config });
          } catch (error) {
            // what fails after the first was ended by it
            failure ??= error;
            end();
          }
        }),
      ),
    );
    if (failure !== undefined) throw failure;
    return { reference: job.reference, manifest, config, configDigest: manifest.config.digest, topDigest };
  }

  /** One that has been damaged since it was fetched is gone with the first look at it, and fetched again. */
  private async fetchConfig(job: Job, blob: Descriptor): Promise<Buffer> {
    for (let isFirst = true; ; isFirst = false) {
      await this.fetchBlob(job, blob);
      try {
        return await this.modules.store.read(blob.digest, maxConfigBytes);
      } catch (error) {
        if (!isFirst || codeOf(error) !== "NotFound") throw error;
      }
    }
  }

  /** Two images that share a blob fetch it once. */
  private fetchBlob(job: Job, blob: Descriptor): Promise<void> {
    const { store } = this.modules;
    return this.blobs.run(blob.digest, async () => {
      if (job.signal.aborted) throw abortError(job.signal);
      await faultPoint("PullImage.blob");
      while (!(await store.has(blob.digest))) {
        try {
          await store.ingest(blob, counted(job, blob), (bytes) => this.modules.received?.(bytes));
        } catch (error) {
          if (!(error instanceof BerthError) || error.code !== "InvalidArgument") throw error;
          if (!job.client.distrust(blob.digest)) throw error;
        }
      }
      report(job, blob, { state: "done", doneBytes: blob.size });
    });
  }
}

async function* counted(job: Job, blob: Descriptor): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const chunk of job.client.openBlob(blob)) {
    doneBytes += chunk.length;
    report(job, blob, { state: "downloading", doneBytes });
    yield chunk;
  }
  report(job, blob, { state: "verifying", doneBytes });
}

function report(job: Job, blob: Descriptor, progress: Pick<ProgressEvent, "state" | "doneBytes">): void {
  job.emit({ digest: blob.digest, totalBytes: blob.size, ...progress });
}

/** Empty strings, as CRI sends them, are as good as absent. */
function fieldsOf(auth: AuthConfig = {}): string[] {
  const { username, password, auth: basic, serverAddress, identityToken, registryToken } = auth;
  return [username, password, basic, serverAddress, identityToken, registryToken].map((field) => field ?? "");
}
