import http, { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import { BerthError } from "../api/errors";
import { type ConnectionSettings, HttpAgents } from "./http-agents";
import { abortError, readBody } from "./http-body";
import { safeText, safeUrl } from "./remote-text";
import { transportError } from "./transport-error";

export interface HttpClientOptions extends ConnectionSettings {
  /** The longest that a connection may take to be made. */
  connectTimeoutMs: number;
  /** The longest without any progress, in an answer's head or its body. */
  progressTimeoutMs: number;
}

export interface HttpRequest {
  method: "GET" | "HEAD" | "POST";
  url: URL;
  headers: OutgoingHttpHeaders;
  /** Headers that only the URL's own host may see: they are not sent on to where it redirects. */
  privateHeaders?: OutgoingHttpHeaders;
  /** Of a POST, which is never redirected. */
  body?: string;
  signal?: AbortSignal;
}

export interface HttpResponse {
  status: number;
  headers: IncomingHttpHeaders;
  /** Where the answer came from, after all redirects. */
  url: URL;
  /** Whether `privateHeaders` were sent to that place. */
  isPrivate: boolean;
  /** To be read, or given up by discard(). */
  body: AsyncGenerator<Uint8Array>;
  discard(): void;
}

const maxRedirects = 10;
const redirectStatuses = new Set([301, 302, 303, 307, 308]);

/**
 * HTTP and HTTPS for one registry host. Any status is an answer; throws RegistryUnavailable where none comes in time,
 * FailedPrecondition where the certificate is not trusted, Unavailable for redirects that lead nowhere, and Cancelled.
 */
export class HttpClient {
  private readonly agents: HttpAgents;

  constructor(private readonly options: HttpClientOptions) {
    this.agents = new HttpAgents(options);
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    const seen = new Set<string>();
    let url = request.url;
    let isPrivate = true;
    while (true) {
      seen.add(url.href);
      const headers = { ...request.headers, ...(isPrivate ? request.privateHeaders : {}) };
      const message = await this.send({ ...request, url, headers });
      const status = message.statusCode!;
      const { location } = message.headers;
      if (!redirectStatuses.has(status) || location === undefined || request.method === "POST") {
        const body = readBody(message, {
          url,
          progressTimeoutMs: this.options.progressTimeoutMs,
          signal: request.signal,
        });
        return { status, headers: message.headers, url, isPrivate, body, discard: () => discard(message) };
      }
      discard(message);
      const next = redirectTarget(url, location);
      if (seen.has(next.href)) throw redirectError(request.url, "it redirects in a circle");
      if (seen.size > maxRedirects) throw redirectError(request.url, `more than ${maxRedirects} redirects`);
      isPrivate &&= maySeePrivate(url, next);
      url = next;
    }
  }

  close(): void {
    this.agents.close();
  }

  private send(request: HttpRequest): Promise<IncomingMessage> {
    const { url, signal } = request;
    if (signal?.aborted) return Promise.reject(abortError(signal));
    const agent = this.agents.agentFor(url);
    return new Promise((resolve, reject) => {
      const transport = url.protocol === "https:" ? https : http;
      const sent = transport.request(url, { method: request.method, headers: request.headers, agent });
      const fail = (reason: string) =>
        sent.destroy(new BerthError("RegistryUnavailable", `${safeUrl(url)}: ${reason}`));
      const { connectTimeoutMs, progressTimeoutMs } = this.options;
      let timer = setTimeout(() => fail(`no connection within ${connectTimeoutMs / 1000} s`), connectTimeoutMs);
      const onAbort = () => sent.destroy(abortError(signal!));
      signal?.addEventListener("abort", onAbort);
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const onConnected = () => {
        clearTimeout(timer);
        timer = setTimeout(() => fail(`no answer within ${progressTimeoutMs / 1000} s`), progressTimeoutMs);
      };
      sent.once("socket", (socket) => {
        if (sent.reusedSocket || !socket.connecting) onConnected();
        else socket.once(url.protocol === "https:" ? "secureConnect" : "connect", onConnected);
      });
      sent.once("response", (message) => {
        settle();
        resolve(message);
      });
      sent.on("error", (error) => {
        settle();
        reject(transportError(url, error));
      });
      sent.end(request.body);
    });
  }
}

// as much as is worth reading to use the connection again
const maxDiscardedBytes = 64 * 1024;

function discard(message: IncomingMessage): void {
  let discardedBytes = 0;
  message.on("error", () => {});
  message.on("data", (chunk: Buffer) => {
    discardedBytes += chunk.length;
    if (discardedBytes > maxDiscardedBytes) message.destroy();
  });
}

function redirectTarget(from: URL, location: string): URL {
  const target = URL.parse(location, from.href);
  if (!target || !["http:", "https:"].includes(target.protocol)) {
    throw redirectError(from, `it redirects to "${safeText(location, [], 100)}"`);
  }
  // a user in a URL would become an Authorization header
  target.username = "";
  target.password = "";
  target.hash = "";
  return target;
}

/** The same host and port, never from HTTPS back to HTTP. */
function maySeePrivate(from: URL, to: URL): boolean {
  if (from.protocol === to.protocol) return from.host === to.host;
  return to.protocol === "https:" && from.port === "" && to.port === "" && from.hostname === to.hostname;
}

function redirectError(url: URL, reason: string): BerthError {
  return new BerthError("Unavailable", `${safeUrl(url)}: ${reason}`);
}
