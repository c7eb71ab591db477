import { BerthError } from "../api/errors";
import type { HttpResponse } from "./http-client";
import type { RegistryEndpoint } from "./registry-endpoint";
import { statusError } from "./registry-status";
import type { Descriptor } from "./types";

export interface BlobRequest {
  blob: Descriptor;
  /** Bytes that are there already. */
  offset: number;
  signal?: AbortSignal;
}

// as much must have come for a break not to count against the tries
const enoughProgressBytes = 64 * 1024;

/**
 * The bytes of a blob from `offset` on, exactly as many as its descriptor says. A download that breaks off goes on
 * where it was, by Range (RFC 9110, section 14) or by leaving out what a server without Range sends again.
 * A piece is the reader's until it asks for the next one. Throws InvalidArgument at once where the answer cannot be
 * this blob, RegistryUnavailable when the tries are used up.
 */
export async function* downloadBlob(endpoint: RegistryEndpoint, request: BlobRequest): AsyncGenerator<Uint8Array> {
  const { blob, signal } = request;
  const subject = `blob ${blob.digest}`;
  let position = request.offset;
  if (position > 0 && position === blob.size) return;
  let breaks = 0;
  while (true) {
    const startedAt = position;
    const response = await endpoint.send({
      method: "GET",
      path: `blobs/${blob.digest}`,
      headers: position > 0 ? { range: `bytes=${position}-` } : {},
      subject,
      signal,
    });
    let unwanted = await checkHead({ endpoint, response, request, position });
    try {
      for await (const chunk of response.body) {
        const fresh = chunk.subarray(Math.min(unwanted, chunk.length));
        unwanted -= chunk.length - fresh.length;
        if (position + fresh.length > blob.size) throw lie(endpoint, blob, `more than ${blob.size} bytes came`);
        position += fresh.length;
        if (fresh.length > 0) yield fresh;
        giveBack(chunk);
      }
      if (position === blob.size) return;
      throw new BerthError(
        "RegistryUnavailable",
        `${endpoint.name}: ${subject}: broke off after ${position} of ${blob.size} bytes`,
      );
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== "RegistryUnavailable") throw error;
      breaks = position - startedAt >= enoughProgressBytes ? 1 : breaks + 1;
      if (breaks >= endpoint.attempts) throw error;
      await endpoint.pause(breaks, signal);
    }
  }
}

/**
 * Frees the memory of a piece at once. Left to the garbage collector, every few MiB that come call for a collection of
 * the whole heap: a sixth of the CPU time of a pull. One that shares its memory with others is left alone.
 */
function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

interface Head {
  endpoint: RegistryEndpoint;
  response: HttpResponse;
  request: BlobRequest;
  position: number;
}

/** Checks what can be checked before the first byte; gives how many bytes come that are there already. */
async function checkHead({ endpoint, response, request, position }: Head): Promise<number> {
  const { blob } = request;
  const { status, headers } = response;
  if (status !== 200 && status !== 206) {
    throw await statusError(response, endpoint, `blob ${blob.digest}`);
  }
  const isPart = status === 206;
  const expected = isPart ? blob.size - position : blob.size;
  const length = headers["content-length"];
  const range = /^bytes ([0-9]+)-/.exec(headers["content-range"] ?? "");
  const problem =
    length !== undefined && Number(length) !== expected
      ? `${length} bytes are announced for ${expected}`
      : isPart && Number(range?.[1]) !== position
        ? "another part came than was asked for"
        : undefined;
  if (problem !== undefined) {
    response.discard();
    throw lie(endpoint, blob, problem);
  }
  return isPart ? 0 : position;
}

function lie(endpoint: RegistryEndpoint, blob: Descriptor, reason: string): BerthError {
  return new BerthError("InvalidArgument", `${endpoint.name}: blob ${blob.digest} is refused: ${reason}`);
}
