import { BerthError } from "../api/errors";
import { type AuthChallenge, parseChallenges } from "./auth-challenge";
import { basicCredentials } from "./basic-credentials";
import type { HttpClient } from "./http-client";
import { fetchToken, type TokenRequest } from "./registry-token";
import type { Credentials } from "./types";

export interface RegistryAuthOptions {
  repository: string;
  /** Those that this host may see. */
  credentials?: Credentials;
}

/** A 401. */
export interface Refusal {
  /** The Authorization header of the request. */
  sent: string | undefined;
  wwwAuthenticate: string | undefined;
  /** Who refused. */
  url: URL;
  signal?: AbortSignal;
}

export interface AuthModules {
  http: HttpClient;
  nowMs: () => number;
}

// a token is not used in the last moments of its life
const expiryMarginMs = 5_000;

/**
 * What one host is told of who asks, for one pull: nothing until it asks, then Basic or a Bearer token of the realm
 * that it names (distribution project, docs/spec/auth/token.md and oauth.md), kept until it expires.
 */
export class RegistryAuth {
  private scheme: "none" | "basic" | "bearer" = "none";
  private bearer: { token: string; expiresAtMs: number } | undefined;
  private pending: Promise<void> | undefined;
  /** Everything that must not appear in a message. */
  readonly secrets: string[] = [];

  constructor(
    private readonly options: RegistryAuthOptions,
    private readonly modules: AuthModules,
  ) {
    const { credentials } = options;
    if (credentials?.password) this.secrets.push(credentials.password);
    if (credentials?.identityToken) this.secrets.push(credentials.identityToken);
    if (credentials?.username !== undefined) this.secrets.push(basicCredentials(credentials));
    if (credentials?.registryToken) {
      this.secrets.push(credentials.registryToken);
      this.useToken(credentials.registryToken, Number.POSITIVE_INFINITY);
    }
  }

  /** The Authorization header to send now; undefined for none. */
  header(): string | undefined {
    if (this.scheme === "basic") return `Basic ${basicCredentials(this.options.credentials ?? {})}`;
    if (!this.bearer || this.bearer.expiresAtMs - expiryMarginMs < this.modules.nowMs()) return undefined;
    return `Bearer ${this.bearer.token}`;
  }

  /**
   * Answers a 401. False where there is nothing new to say, so that the
   * 401 is the answer. Throws as the realm's request does: PermissionDenied, RegistryUnavailable and so on.
   */
  async answer(refusal: Refusal): Promise<boolean> {
    const { sent, wwwAuthenticate } = refusal;
    const { credentials } = this.options;
    if (credentials?.registryToken) return false;
    // another request of the same pull may have got the token meanwhile
    if (this.header() !== undefined && this.header() !== sent) return true;
    const challenges = parseChallenges(wwwAuthenticate ?? "");
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer" && challenge.parameters.has("realm"));
    if (bearer) {
      this.pending ??= this.takeToken(bearer, refusal).finally(() => {
        this.pending = undefined;
      });
      await this.pending;
      return this.header() !== sent;
    }
    if (!challenges.some((challenge) => challenge.scheme === "basic") || credentials?.username === undefined)
      return false;
    if (this.scheme === "basic") return false;
    this.scheme = "basic";
    return true;
  }

  private async takeToken(challenge: AuthChallenge, { url, signal }: Refusal): Promise<void> {
    const { repository, credentials } = this.options;
    const realm = URL.parse(challenge.parameters.get("realm")!);
    if (!realm || !["https:", "http:"].includes(realm.protocol)) {
      throw new BerthError("Unavailable", `${url.host}: the realm of its tokens is not a URL`);
    }
    realm.username = "";
    realm.password = "";
    if (credentials && realm.protocol === "http:" && url.protocol === "https:") {
      throw new BerthError("PermissionDenied", `${url.host}: wants its password sent unencrypted to ${realm.host}`);
    }
    const request: TokenRequest = {
      realm,
      service: challenge.parameters.get("service"),
      scope: challenge.parameters.get("scope") || `repository:${repository}:pull`,
      credentials,
      secrets: this.secrets,
      signal,
    };
    const { token, expiresInMs } = await fetchToken(this.modules.http, request);
    this.secrets.push(token);
    this.useToken(token, this.modules.nowMs() + expiresInMs);
  }

  private useToken(token: string, expiresAtMs: number): void {
    this.scheme = "bearer";
    this.bearer = { token, expiresAtMs };
  }
}
