import { createHash } from "node:crypto";
import { BerthError } from "../api/errors";
import { type Digest, isDigest } from "../api/ids";
import { readWhole } from "./http-body";
import type { HttpResponse } from "./http-client";
import { maxManifestBytes } from "./manifest";
import { manifestAccept } from "./media-types";
import type { RegistryEndpoint } from "./registry-endpoint";
import { statusError } from "./registry-status";
import { safeText } from "./remote-text";
import type { Descriptor } from "./types";

export interface ManifestRequest {
  /** A tag or a digest. */
  name: string;
  signal?: AbortSignal;
}

/**
 * What a tag or digest stands for at this host, by HEAD (OCI distribution spec, "Checking if content exists");
 * undefined where the answer says too little. Throws as statusError() does, and InvalidArgument for a lie.
 */
export async function headManifest(
  endpoint: RegistryEndpoint,
  request: ManifestRequest,
): Promise<Descriptor | undefined> {
  const { name } = request;
  const response = await ask(endpoint, "HEAD", request);
  const { status, headers } = response;
  if (status === 404 || status === 401 || status === 403) throw await statusError(response, endpoint);
  response.discard();
  // a registry that does not know HEAD
  if (status !== 200) return undefined;
  const claimed = claimedDigest(response);
  if (isDigest(name) && claimed !== "" && claimed !== name) {
    throw wrongContent(endpoint, `asked for ${name}, it answers with ${safeText(claimed, [], 100)}`);
  }
  const digest = isDigest(name) ? name : isDigest(claimed) ? claimed : undefined;
  const size = Number(headers["content-length"] ?? Number.NaN);
  if (digest === undefined || !Number.isSafeInteger(size) || size <= 0) return undefined;
  if (size > maxManifestBytes) throw tooLarge(endpoint, name);
  return { mediaType: mediaTypeOf(response), digest, size };
}

/** A manifest by tag or digest with the digest that it has, which is the one asked for and the one claimed. */
export async function getManifest(
  endpoint: RegistryEndpoint,
  request: ManifestRequest,
): Promise<{ descriptor: Descriptor; body: Buffer }> {
  const { name } = request;
  const response = await ask(endpoint, "GET", request);
  if (response.status !== 200) throw await statusError(response, endpoint);
  if (Number(response.headers["content-length"] ?? 0) > maxManifestBytes) {
    response.discard();
    throw tooLarge(endpoint, name);
  }
  const body = await readWhole(response.body, maxManifestBytes);
  if (!body) throw tooLarge(endpoint, name);
  const digest = `sha256:${createHash("sha256").update(body).digest("hex")}` as Digest;
  const claimed = claimedDigest(response);
  const wanted = isDigest(name) ? name : isDigest(claimed) ? claimed : digest;
  if (digest !== wanted) throw wrongContent(endpoint, `manifest ${wanted} came with the digest ${digest}`);
  return { descriptor: { mediaType: mediaTypeOf(response), digest, size: body.length }, body };
}

/** What is thrown for contents that are not what was asked for. */
export function wrongContent(endpoint: RegistryEndpoint, reason: string): BerthError {
  return new BerthError("InvalidArgument", `${endpoint.name} sent wrong contents: ${reason}`);
}

function ask(endpoint: RegistryEndpoint, method: "GET" | "HEAD", request: ManifestRequest): Promise<HttpResponse> {
  const { name, signal } = request;
  return endpoint.send({ method, path: `manifests/${name}`, headers: { accept: manifestAccept }, signal });
}

function claimedDigest({ headers }: HttpResponse): string {
  const claimed = headers["docker-content-digest"] ?? "";
  return Array.isArray(claimed) ? claimed.join() : claimed.trim();
}

function mediaTypeOf({ headers }: HttpResponse): string {
  return (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
}

function tooLarge(endpoint: RegistryEndpoint, name: string): BerthError {
  return new BerthError(
    "InvalidArgument",
    `${endpoint.name}: manifest ${name} is larger than ${maxManifestBytes} bytes`,
  );
}
