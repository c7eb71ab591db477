import { createHash } from "node:crypto";
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import type { Digest } from "../api/ids";
import type { Descriptor } from "./types";

/** Answers in the place of the registry where it gives true. */
export type Mischief = (request: IncomingMessage, response: ServerResponse) => boolean;

export const sha256 = (body: Uint8Array) => `sha256:${createHash("sha256").update(body).digest("hex")}` as Digest;

/** A registry in this process, for tests: what is put into it, and whatever mischief a test adds. */
export class FakeRegistry {
  readonly requests: { method: string; url: string; headers: http.IncomingHttpHeaders }[] = [];
  mischief: Mischief = () => false;
  private readonly blobs = new Map<string, Buffer>();
  private readonly manifests = new Map<string, { body: Buffer; mediaType: string }>();
  private server: http.Server | https.Server | undefined;

  /** Listens on loopback; gives host and port. */
  async start(tls?: { cert: string; key: string }): Promise<string> {
    const listener: RequestListener = (request, response) => this.answer(request, response);
    const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const { server } = this;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  putBlob(body: Buffer, mediaType: string): Descriptor {
    const digest = sha256(body);
    this.blobs.set(digest, body);
    return { mediaType, digest, size: body.length };
  }

  putManifest(name: string, document: unknown, mediaType: string): Descriptor {
    const body = Buffer.isBuffer(document) ? document : Buffer.from(JSON.stringify(document));
    const digest = sha256(body);
    this.manifests.set(name, { body, mediaType });
    this.manifests.set(digest, { body, mediaType });
    return { mediaType, digest, size: body.length };
  }

  /** One that is there in bytes, with the blobs that its manifest names. */
  putMade(
    name: string,
    image: { blobs: { bytes: Buffer; mediaType: string }[]; bytes: Buffer; mediaType: string },
  ): void {
    for (const { bytes, mediaType } of image.blobs) this.putBlob(bytes, mediaType);
    this.putManifest(name, image.bytes, image.mediaType);
  }

  /** An image of one layer for each text. */
  putImage(name: string, layers: string[], architecture = "amd64") {
    const config = this.putBlob(
      Buffer.from(
        JSON.stringify({
          architecture,
          os: "linux",
          config: { Cmd: ["/bin/sh"] },
          rootfs: { type: "layers", diff_ids: layers.map((text) => sha256(Buffer.from(text))) },
        }),
      ),
      "application/vnd.oci.image.config.v1+json",
    );
    const blobs = layers.map((text) =>
      this.putBlob(gzipSync(Buffer.from(text)), "application/vnd.oci.image.layer.v1.tar+gzip"),
    );
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = this.putManifest(name, { schemaVersion: 2, mediaType, config, layers: blobs }, mediaType);
    return { config, layers: blobs, manifest };
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push({ method: request.method!, url: request.url!, headers: request.headers });
    if (this.mischief(request, response)) return;
    const { pathname } = new URL(request.url!, "http://registry");
    const [, kind, name] = /\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? [];
    const manifest = kind === "manifests" ? this.manifests.get(name!) : undefined;
    const body = manifest?.body ?? (kind === "blobs" ? this.blobs.get(name!) : undefined);
    if (!body) {
      response
        .writeHead(404)
        .end(JSON.stringify({ errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] }));
      return;
    }
    const start = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      "content-type": manifest?.mediaType ?? "application/octet-stream",
      "content-length": body.length - start,
      "docker-content-digest": sha256(body),
      ...(start > 0 ? { "content-range": `bytes ${start}-${body.length - 1}/${body.length}` } : {}),
    });
    response.end(request.method === "HEAD" ? undefined : body.subarray(start));
  }
}
