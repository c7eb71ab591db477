import { BerthError } from "../api/errors";
import { readWhole } from "./http-body";
import type { HttpClient, HttpResponse } from "./http-client";
import { basicCredentials } from "./basic-credentials";
import { safeText, safeUrl } from "./remote-text";
import { isTransientStatus } from "./registry-status";
import type { Credentials } from "./types";

export interface TokenRequest {
  realm: URL;
  service?: string;
  /** Several are separated by spaces. */
  scope: string;
  credentials?: Credentials;
  /** To be masked in errors. */
  secrets: readonly string[];
  signal?: AbortSignal;
}

export interface Token {
  token: string;
  expiresInMs: number;
}

const maxAnswerBytes = 1 << 20;
// docs/spec/auth/token.md: 60 seconds where the answer does not say
const defaultLifeMs = 60_000;

/**
 * Gets a token from a realm: with a refresh token by POST (docs/spec/auth/oauth.md), and where the realm does not know
 * that, or there is none, by GET with the password or anonymously. Throws PermissionDenied where it is refused,
 * RegistryUnavailable where it may work later, Unavailable for an answer that is no token.
 */
export async function fetchToken(http: HttpClient, request: TokenRequest): Promise<Token> {
  let response: HttpResponse | undefined;
  if (request.credentials?.identityToken) {
    response = await postRefreshToken(http, request);
    if (response.status === 404 || response.status === 405) {
      response.discard();
      response = undefined;
    }
  }
  response ??= await getToken(http, request);
  const { status } = response;
  const body = await readWhole(response.body, maxAnswerBytes);
  const where = safeUrl(request.realm);
  if (status === 200) return parseToken(body, where);
  const said = safeText(body?.toString("utf8") ?? "", request.secrets, 200);
  const message = `token from ${where}: status ${status}${said === "" ? "" : `: ${said}`}`;
  if (isTransientStatus(status)) throw new BerthError("RegistryUnavailable", message);
  throw new BerthError(status === 401 || status === 403 ? "PermissionDenied" : "Unavailable", message);
}

function postRefreshToken(http: HttpClient, request: TokenRequest): Promise<HttpResponse> {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: request.credentials!.identityToken!,
    client_id: "berth",
    scope: request.scope,
  });
  if (request.service !== undefined) form.set("service", request.service);
  const body = form.toString();
  return http.request({
    method: "POST",
    url: request.realm,
    headers: {
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
      "content-length": Buffer.byteLength(body),
      accept: "application/json",
    },
    body,
    signal: request.signal,
  });
}

function getToken(http: HttpClient, request: TokenRequest): Promise<HttpResponse> {
  const url = new URL(request.realm);
  if (request.service !== undefined) url.searchParams.set("service", request.service);
  for (const scope of request.scope.split(" ")) if (scope !== "") url.searchParams.append("scope", scope);
  const { credentials } = request;
  const username = credentials?.username ?? (credentials?.identityToken === undefined ? undefined : "");
  const password = credentials?.password ?? credentials?.identityToken;
  return http.request({
    method: "GET",
    url,
    headers: { accept: "application/json" },
    privateHeaders:
      username === undefined ? {} : { authorization: `Basic ${basicCredentials({ username, password })}` },
    signal: request.signal,
  });
}

function parseToken(body: Buffer | undefined, where: string): Token {
  let answer: { token?: unknown; access_token?: unknown; expires_in?: unknown } | null = null;
  try {
    answer = JSON.parse(body?.toString("utf8") ?? "");
  } catch {
    // told below; the parser's message would quote the token
  }
  const token = answer?.token || answer?.access_token;
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    throw new BerthError("Unavailable", `token from ${where}: the answer holds no token`);
  }
  const seconds = Number(answer?.expires_in);
  return { token, expiresInMs: seconds > 0 ? Math.max(seconds * 1000, defaultLifeMs) : defaultLifeMs };
}
