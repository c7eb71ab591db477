import type { BerthError } from "../api/errors";
import type { Digest } from "../api/ids";
import { defaultRetryPolicy, type RetryPolicy } from "./back-off";
import { downloadBlob } from "./blob-download";
import type { CredentialChooser } from "./credentials";
import { HostFailures } from "./host-failures";
import { maxManifestBytes } from "./manifest";
import { getManifest, headManifest, wrongContent } from "./manifest-fetch";
import { formatReference, type Reference } from "./reference";
import { RegistryEndpoint } from "./registry-endpoint";
import type { RegistryHost } from "./registry-hosts";
import type { Descriptor } from "./types";

export interface RegistryClientOptions {
  reference: Reference;
  /** In the order of asking; those after the first are asked where one before them fails. */
  hosts: readonly RegistryHost[];
  credentialsFor: CredentialChooser;
  /** The longest without any progress. */
  progressTimeoutMs: number;
  /** For hosts that set none; 30 s where it is absent. */
  connectTimeoutMs?: number;
  /** For the last host; those before it get two tries at most, for there is another to ask. */
  retry?: RetryPolicy;
  signal?: AbortSignal;
}

export interface Resolved {
  descriptor: Descriptor;
  /** The manifest, where it had to be fetched to know its digest. */
  body?: Buffer;
}

const defaultConnectTimeoutMs = 30_000;

/**
 * One image at its registry and that one's mirrors, for one pull (OCI distribution spec, "Pull"). Every method asks
 * host after host; when all fail, the code is that of the last in the list and the message names each with its reason:
 * NotFound, PermissionDenied, RegistryUnavailable, InvalidArgument for contents that are not what they should be,
 * FailedPrecondition for a certificate, Unavailable for other refusals. Cancelled comes through at once.
 */
export class RegistryClient {
  private readonly endpoints: RegistryEndpoint[];
  private readonly image: string;
  private readonly sources = new Map<Digest, Set<RegistryEndpoint>>();
  private readonly distrusted = new Set<RegistryEndpoint>();
  private readonly unreachable = new Set<RegistryEndpoint>();

  constructor(private readonly options: RegistryClientOptions) {
    const { reference, hosts, credentialsFor, progressTimeoutMs } = options;
    const retry = options.retry ?? defaultRetryPolicy;
    this.image = formatReference(reference);
    this.endpoints = hosts.map(
      (host, index) =>
        new RegistryEndpoint({
          host,
          repository: reference.repository,
          credentials: credentialsFor({ host: host.base.host, image: reference }),
          connectTimeoutMs: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
          progressTimeoutMs,
          retry: index < hosts.length - 1 ? { ...retry, attempts: Math.min(2, retry.attempts) } : retry,
        }),
    );
  }

  /** What must not appear in a message: all that was, or might have been, sent to prove who asks. */
  get secrets(): readonly string[] {
    return this.endpoints.flatMap(({ secrets }) => secrets);
  }

  /** Ends all connections. */
  close(): void {
    for (const endpoint of this.endpoints) endpoint.close();
  }

  /** What the reference stands for now: by HEAD, which registries do not count, or by GET where that says too little. */
  resolve(): Promise<Resolved> {
    const { reference, signal } = this.options;
    const request = { name: reference.digest ?? reference.tag!, signal };
    // who may not say what a tag stands for may still hold what a digest names
    const capability = reference.digest === undefined ? "resolve" : "pull";
    return this.firstOf(capability, async (endpoint) => {
      const descriptor = await headManifest(endpoint, request);
      return descriptor ? { descriptor } : await getManifest(endpoint, request);
    });
  }

  /** A manifest or index by its digest, at most 4 MiB, verified. */
  fetchManifest(descriptor: Descriptor): Promise<Buffer> {
    const { digest, size } = descriptor;
    return this.firstOf("pull", async (endpoint) => {
      if (size > maxManifestBytes) throw wrongContent(endpoint, `manifest ${digest} is said to have ${size} bytes`);
      const { body } = await getManifest(endpoint, { name: digest, signal: this.options.signal });
      if (body.length === size) return body;
      throw wrongContent(endpoint, `manifest ${digest} has ${body.length} bytes where ${size} are announced`);
    });
  }

  /**
   * The bytes of a blob from `offset` on; as many as its descriptor says, but only their reader can tell whether the
   * digest is right. Where it is not, distrust() is to be called before the next try.
   */
  async *openBlob(blob: Descriptor, offset = 0): AsyncGenerator<Uint8Array> {
    const { signal } = this.options;
    const sources = new Set<RegistryEndpoint>();
    this.sources.set(blob.digest, sources);
    const failures = new HostFailures();
    let position = offset;
    for (const endpoint of this.able("pull")) {
      sources.add(endpoint);
      try {
        for await (const chunk of downloadBlob(endpoint, { blob, offset: position, signal })) {
          position += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        const { code } = this.failed(failures, endpoint, error);
        // what a liar sent is in the stream already: the reader has to begin again, without it
        if (position > offset && code === "InvalidArgument") break;
      }
    }
    throw failures.toError(this.image, this.endpoints);
  }

  /** The bytes that openBlob() last gave of this blob were wrong. True where there are still others to ask. */
  distrust(digest: Digest): boolean {
    for (const endpoint of this.sources.get(digest) ?? []) this.distrusted.add(endpoint);
    return this.able("pull").length > 0;
  }

  private able(capability: "pull" | "resolve"): RegistryEndpoint[] {
    const able = this.endpoints.filter(
      (endpoint) => endpoint.host.capabilities[capability] && !this.distrusted.has(endpoint),
    );
    // a host that did not answer a moment ago is asked after those that do
    return able.sort((a, b) => Number(this.unreachable.has(a)) - Number(this.unreachable.has(b)));
  }

  private async firstOf<T>(
    capability: "pull" | "resolve",
    ask: (endpoint: RegistryEndpoint) => Promise<T>,
  ): Promise<T> {
    const failures = new HostFailures();
    for (const endpoint of this.able(capability)) {
      try {
        return await ask(endpoint);
      } catch (error) {
        this.failed(failures, endpoint, error);
      }
    }
    throw failures.toError(this.image, this.endpoints);
  }

  private failed(failures: HostFailures, endpoint: RegistryEndpoint, error: unknown): BerthError {
    // no other host can mend that
    if (this.options.signal?.aborted) throw error;
    const failure = failures.add(endpoint, error);
    if (failure.code === "RegistryUnavailable") this.unreachable.add(endpoint);
    return failure;
  }
}
