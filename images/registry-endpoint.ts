import type { OutgoingHttpHeaders } from "node:http";
import { BerthError, during } from "../api/errors";
import { pause, type RetryPolicy, retryAfterMs } from "./back-off";
import { HttpClient, type HttpResponse } from "./http-client";
import { RegistryAuth } from "./registry-auth";
import type { RegistryHost } from "./registry-hosts";
import { isTransientStatus, statusError } from "./registry-status";
import { isPlainAnswer } from "./transport-error";
import type { Credentials } from "./types";

export interface EndpointOptions {
  host: RegistryHost;
  repository: string;
  credentials?: Credentials;
  connectTimeoutMs: number;
  progressTimeoutMs: number;
  retry: RetryPolicy;
}

export interface RegistryRequest {
  method: "GET" | "HEAD";
  /** Below the repository: "manifests/latest". */
  path: string;
  headers?: OutgoingHttpHeaders;
  /** What errors say that was asked for; undefined for the image itself. */
  subject?: string;
  signal?: AbortSignal;
}

// one to learn what is wanted, one for a token that has expired meanwhile
const maxChallenges = 2;

/** One host of a registry during one pull: its connections, its tokens, and patience with it. */
export class RegistryEndpoint {
  readonly host: RegistryHost;
  private readonly http: HttpClient;
  private readonly auth: RegistryAuth;
  private base: URL;

  constructor(private readonly options: EndpointOptions) {
    const { host, repository, credentials } = options;
    this.host = host;
    this.base = host.base;
    this.http = new HttpClient({
      host: host.base.host,
      tls: host.tls,
      proxy: host.proxy,
      connectTimeoutMs: host.connectTimeoutMs ?? options.connectTimeoutMs,
      progressTimeoutMs: options.progressTimeoutMs,
    });
    this.auth = new RegistryAuth({ repository, credentials }, { http: this.http, nowMs: Date.now });
  }

  get secrets(): readonly string[] {
    return [...this.auth.secrets, ...Object.values(this.host.headers).flat()];
  }

  /** Host and port, for messages. */
  get name(): string {
    return this.base.host;
  }

  close(): void {
    this.http.close();
  }

  /**
   * Asks until there is an answer that another try would not change; any status but the transient ones is one.
   * Throws RegistryUnavailable once the policy's tries are used up, and at once what no try would change.
   */
  async send(request: RegistryRequest): Promise<HttpResponse> {
    const { retry } = this.options;
    for (let attempt = 1; ; attempt++) {
      let failure: BerthError;
      let askedMs: number | undefined;
      try {
        const response = await this.sendAuthorized(request);
        if (!isTransientStatus(response.status)) return response;
        askedMs = retryAfterMs(response.headers["retry-after"], Date.now());
        failure = await statusError(response, this, request.subject);
      } catch (error) {
        failure = error instanceof BerthError ? error : during(this.name, error);
        if (failure.code !== "RegistryUnavailable") throw failure;
      }
      if (attempt >= retry.attempts) throw failure;
      await pause(retry, { retry: attempt, askedMs, signal: request.signal });
    }
  }

  /** Waits as the policy says. */
  pause(retry: number, signal?: AbortSignal): Promise<void> {
    return pause(this.options.retry, { retry, signal });
  }

  get attempts(): number {
    return this.options.retry.attempts;
  }

  private async sendAuthorized(request: RegistryRequest): Promise<HttpResponse> {
    for (let challenge = 0; ; challenge++) {
      const authorization = this.auth.header();
      const response = await this.sendOnce(request, authorization);
      // a 401 of a place that it redirected to is no question of this host
      if (response.status !== 401 || !response.isPrivate || challenge >= maxChallenges) return response;
      const isNew = await this.auth.answer({
        sent: authorization,
        wwwAuthenticate: response.headers["www-authenticate"],
        url: response.url,
        signal: request.signal,
      });
      if (!isNew) return response;
      response.discard();
    }
  }

  private async sendOnce(request: RegistryRequest, authorization: string | undefined): Promise<HttpResponse> {
    const { method, headers = {}, signal } = request;
    const privateHeaders: OutgoingHttpHeaders = { ...this.host.headers };
    if (authorization !== undefined) privateHeaders["authorization"] = authorization;
    const send = () => {
      const url = this.urlOf(request.path);
      return this.http.request({ method, url, headers: { ...common, ...headers }, privateHeaders, signal });
    };
    const isTls = this.base.protocol === "https:";
    try {
      return await send();
    } catch (error) {
      if (!isTls || !this.host.mayBePlain || !isPlainAnswer(error)) throw error;
      this.base = new URL(this.base);
      this.base.protocol = "http:";
      return await send();
    }
  }

  private urlOf(path: string): URL {
    const url = new URL(this.base);
    url.pathname = `${this.base.pathname.replace(/\/$/, "")}/${this.options.repository}/${path}`;
    if (this.host.namespace !== undefined) url.searchParams.set("ns", this.host.namespace);
    return url;
  }
}

// identity: the digest is that of the bytes as they are stored
const common = { "user-agent": "berth", "accept-encoding": "identity" };
