import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { Credentials } from "./types";
import { FakeRegistry, sha256 } from "./fake-registry";
import { parseReference } from "./reference";
import { RegistryClient, type RegistryClientOptions } from "./registry-client";
import type { RegistryHost } from "./registry-hosts";
import { testCertificate } from "./test-certificate";

let registry: FakeRegistry;
let host: string;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  registry = new FakeRegistry();
  host = await registry.start();
  closers.push(() => registry.stop());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const retry = { attempts: 3, firstPauseMs: 5, longestPauseMs: 2_000 };

function hostOf(name: string, more: Partial<RegistryHost> = {}, scheme = "http"): RegistryHost {
  return {
    base: new URL(`${scheme}://${name}/v2`),
    capabilities: { pull: true, resolve: true, push: true },
    tls: { ca: [], client: [], skipVerify: false },
    headers: {},
    mayBePlain: false,
    ...more,
  };
}

function clientOf(more: Partial<RegistryClientOptions> & { credentials?: Record<string, Credentials> } = {}) {
  const client = new RegistryClient({
    reference: parseReference(`${host}/team/app:v1`),
    hosts: [hostOf(host)],
    credentialsFor: (query) => more.credentials?.[query.host],
    progressTimeoutMs: 2_000,
    retry,
    ...more,
  });
  closers.push(() => client.close());
  return client;
}

async function whole(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function another(): Promise<{ other: FakeRegistry; otherHost: string }> {
  const other = new FakeRegistry();
  const otherHost = await other.start();
  closers.push(() => other.stop());
  return { other, otherHost };
}

/** A port where nobody listens. */
async function deadHost(): Promise<string> {
  const server = http.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

const big = Buffer.alloc(300_000, "0123456789abcdef");

test("resolve() asks by HEAD alone when the answer says all", async () => {
  const { manifest } = registry.putImage("v1", ["x"]);
  expect(await clientOf().resolve()).toEqual({ descriptor: manifest });
  expect(registry.requests.map(({ method, url }) => [method, url])).toEqual([["HEAD", "/v2/team/app/manifests/v1"]]);
  expect(registry.requests[0]!.headers.accept).toContain("application/vnd.oci.image.index.v1+json");
});

test("resolve() fetches the manifest when HEAD is not known or says too little", async () => {
  const { manifest } = registry.putImage("v1", ["x"]);
  for (const status of [405, 200]) {
    registry.mischief = (request, response) => request.method === "HEAD" && !!response.writeHead(status).end();
    const { descriptor, body } = await clientOf().resolve();
    expect(descriptor).toEqual(manifest);
    expect(sha256(body!)).toBe(manifest.digest);
  }
});

test("resolve() by digest refuses another digest when the registry answers with one", async () => {
  const { manifest } = registry.putImage("v1", ["x"]);
  const reference = parseReference(`${host}/team/app@${sha256(Buffer.from("else"))}`);
  registry.mischief = (_, response) =>
    !!response.writeHead(200, { "docker-content-digest": manifest.digest, "content-length": 5 }).end();
  await expect(clientOf({ reference }).resolve()).rejects.toMatchObject({ code: "InvalidArgument" });
});

test("fetchManifest() refuses the manifest when its digest or the header is wrong", async () => {
  const { manifest } = registry.putImage("v1", ["x"]);
  let headers: Record<string, string> = {};
  registry.mischief = (_, response) => !!response.writeHead(200, headers).end("{}");
  const message = expect.stringContaining(host);
  await expect(clientOf().fetchManifest(manifest)).rejects.toMatchObject({ code: "InvalidArgument", message });
  headers = { "docker-content-digest": manifest.digest };
  registry.mischief = (request, response) =>
    !!response.writeHead(request.method === "HEAD" ? 405 : 200, headers).end("{}");
  await expect(clientOf().resolve()).rejects.toMatchObject({ code: "InvalidArgument" });
});

test("resolve() refuses a gigantic manifest when it is announced and when it is endless", async () => {
  registry.mischief = (_, response) =>
    !!response.writeHead(200, { "content-length": 5 << 20, "docker-content-digest": sha256(big) }).end();
  await expect(clientOf().resolve()).rejects.toMatchObject({ code: "InvalidArgument" });
  let sentBytes = 0;
  registry.mischief = (request, response) => {
    if (request.method === "HEAD") return !!response.writeHead(405).end();
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed && response.write(big)) sentBytes += big.length;
      sentBytes += big.length;
      response.once("drain", more);
    };
    more();
    return true;
  };
  await expect(clientOf().resolve()).rejects.toMatchObject({ code: "InvalidArgument" });
  expect(sentBytes).toBeLessThan(64 << 20);
});

/** A registry that wants a Bearer token of `realm`, "/token" here when there is none. */
function wantTokens(options: { realm?: () => string; token?: () => string; scope?: string } = {}) {
  const asked: { url: URL; method: string; authorization?: string; body: string }[] = [];
  const { realm = () => `http://${host}/token`, token = () => "t0k3n", scope = "repository:team/app:pull" } = options;
  registry.mischief = (request, response) => {
    if (request.url!.startsWith("/token")) {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () => {
        const { authorization } = request.headers;
        asked.push({ url: new URL(request.url!, "http://x"), method: request.method!, authorization, body });
        response.end(JSON.stringify({ token: token(), expires_in: 300 }));
      });
      return true;
    }
    if (request.headers.authorization === "Bearer t0k3n") return false;
    const challenge = `Bearer realm="${realm()}",service="reg,istry",scope="${scope}"`;
    return !!response.writeHead(401, { "www-authenticate": challenge }).end();
  };
  return asked;
}

test("resolve() gets an anonymous token once when the registry wants one", async () => {
  const { manifest, layers } = registry.putImage("v1", ["x"]);
  const asked = wantTokens();
  const client = clientOf();
  expect((await client.resolve()).descriptor).toEqual(manifest);
  await client.fetchManifest(manifest);
  await whole(client.openBlob(layers[0]!));
  expect(asked).toHaveLength(1);
  expect(asked[0]!.authorization).toBeUndefined();
  expect(Object.fromEntries(asked[0]!.url.searchParams)).toEqual({
    service: "reg,istry",
    scope: "repository:team/app:pull",
  });
});

test("resolve() sends name and password to the realm alone when the registry wants a token", async () => {
  registry.putImage("v1", ["x"]);
  const asked = wantTokens();
  await clientOf({ credentials: { [host]: { username: "me", password: "hunter2" } } }).resolve();
  const basic = `Basic ${Buffer.from("me:hunter2").toString("base64")}`;
  expect(asked[0]!.authorization).toBe(basic);
  const toRegistry = registry.requests.filter(({ url }) => url.startsWith("/v2"));
  expect(toRegistry.map(({ headers }) => headers.authorization)).toEqual([undefined, "Bearer t0k3n"]);
});

test("resolve() exchanges an identity token by POST, and by GET when the realm knows no POST", async () => {
  registry.putImage("v1", ["x"]);
  const asked = wantTokens();
  const credentials = { [host]: { identityToken: "refresh" } };
  await clientOf({ credentials }).resolve();
  expect(asked[0]).toMatchObject({ method: "POST" });
  expect(Object.fromEntries(new URLSearchParams(asked[0]!.body))).toMatchObject({
    grant_type: "refresh_token",
    refresh_token: "refresh",
    service: "reg,istry",
    scope: "repository:team/app:pull",
  });
  const willing = registry.mischief;
  registry.mischief = (request, response) =>
    request.method === "POST" ? !!response.writeHead(404).end() : willing(request, response);
  await clientOf({ credentials }).resolve();
  expect(asked.at(-1)).toMatchObject({ method: "GET", authorization: expect.stringMatching(/^Basic /) });
});

test("resolve() ends when the registry answers 401 whatever it is sent", async () => {
  const tokens = ["a1", "b2", "c3", "d4", "e5", "f6"];
  wantTokens({ token: () => tokens.shift() ?? "z" });
  await expect(clientOf().resolve()).rejects.toMatchObject({
    code: "PermissionDenied",
    message: expect.stringMatching(/pull access denied for .*team\/app:v1.*may require authorization/),
  });
  expect(registry.requests.length).toBeLessThan(8);
});

test("resolve() sends Basic only after it was asked for it", async () => {
  registry.putImage("v1", ["x"]);
  registry.mischief = (request, response) =>
    request.headers.authorization !== `Basic ${Buffer.from("me:hunter2").toString("base64")}` &&
    !!response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
  await clientOf({ credentials: { [host]: { username: "me", password: "hunter2" } } }).resolve();
  expect(registry.requests[0]!.headers.authorization).toBeUndefined();
  await expect(
    clientOf({ credentials: { [host]: { username: "me", password: "wrong" } } }).resolve(),
  ).rejects.toMatchObject({ code: "PermissionDenied" });
  await expect(clientOf().resolve()).rejects.toMatchObject({ code: "PermissionDenied" });
});

test("resolve() never lets a mirror have what is the registry's when it asks for it", async () => {
  const { other, otherHost } = await another();
  other.putImage("v1", ["x"]);
  for (const challenge of ['Basic realm="x"', `Bearer realm="http://${otherHost}/token",service="s"`]) {
    other.mischief = (request, response) =>
      request.url!.startsWith("/v2") && !!response.writeHead(401, { "www-authenticate": challenge }).end();
    registry.putImage("v1", ["x"]);
    await clientOf({
      hosts: [hostOf(otherHost, { namespace: host }), hostOf(host)],
      credentials: { [host]: { username: "me", password: "hunter2" } },
    }).resolve();
  }
  expect(other.requests.length).toBeGreaterThan(2);
  expect(other.requests.filter(({ headers }) => headers.authorization)).toEqual([]);
  expect(other.requests[0]!.url).toBe(`/v2/team/app/manifests/v1?ns=${encodeURIComponent(host)}`);
});

test("no error has a secret in it when the registry sends it back", async () => {
  const basic = Buffer.from("me:hunter2").toString("base64");
  registry.mischief = (request, response) =>
    request.headers.authorization === undefined
      ? !!response.writeHead(401, { "www-authenticate": "Basic" }).end()
      : !!response
          .writeHead(request.method === "HEAD" ? 405 : 403)
          .end(
            `denied: ${request.headers.authorization} hunter2 http://u:p4ss@h/?sig=s1g \x1b[31m\u202e${"x".repeat(5000)}`,
          );
  const client = clientOf({ credentials: { [host]: { username: "me", password: "hunter2" } } });
  const error = await client.resolve().catch((thrown) => thrown);
  expect(error.code).toBe("PermissionDenied");
  for (const secret of ["hunter2", basic, "p4ss", "s1g", "\x1b", "\u202e"]) expect(error.message).not.toContain(secret);
  expect(error.message).toContain("\\u001b[31m");
  expect(error.message.length).toBeLessThan(700);
});

test("openBlob() follows to another host without Authorization and private headers", async () => {
  const { other, otherHost } = await another();
  const blob = other.putBlob(big, "x");
  registry.mischief = (request, response) =>
    request.headers.authorization === undefined
      ? !!response.writeHead(401, { "www-authenticate": "Basic" }).end()
      : !!response
          .writeHead(307, { location: `http://user:pass@${otherHost}/v2/cdn/blobs/${blob.digest}?signature=abc` })
          .end();
  const client = clientOf({
    hosts: [hostOf(host, { headers: { "x-secret": ["1"] } })],
    credentials: { [host]: { username: "me", password: "hunter2" } },
  });
  expect((await whole(client.openBlob(blob))).equals(big)).toBe(true);
  expect(registry.requests.at(-1)!.headers).toMatchObject({ "x-secret": "1" });
  expect(other.requests[0]!.headers.authorization).toBeUndefined();
  expect(other.requests[0]!.headers["x-secret"]).toBeUndefined();
  // and it gets no credentials by asking
  other.mischief = (_, response) => !!response.writeHead(401, { "www-authenticate": "Basic" }).end();
  await expect(whole(client.openBlob(blob))).rejects.toMatchObject({ code: "PermissionDenied" });
  expect(other.requests.some(({ headers }) => headers.authorization)).toBe(false);
});

test.each([
  ["a circle", () => "/v2/there"],
  ["no end", (count: number) => `/v2/there/${count}`],
  ["another scheme", () => "file:///etc/passwd"],
])("resolve() ends at once when redirects have %s", async (_, next) => {
  let count = 0;
  registry.mischief = (_request, response) => !!response.writeHead(302, { location: next(count++) }).end();
  await expect(clientOf().resolve()).rejects.toMatchObject({ code: "Unavailable" });
  expect(count).toBeLessThan(13);
});

test("resolve() waits as Retry-After says when there are too many requests", async () => {
  registry.putImage("v1", ["x"]);
  let refusals = 1;
  registry.mischief = (_, response) => refusals-- > 0 && !!response.writeHead(429, { "retry-after": "1" }).end();
  const since = performance.now();
  await clientOf().resolve();
  expect(performance.now() - since).toBeGreaterThan(950);
});

test("resolve() waits no longer than the policy's longest pause when Retry-After asks for more", async () => {
  registry.mischief = (_, response) => !!response.writeHead(429, { "retry-after": "3600" }).end();
  const since = performance.now();
  await expect(clientOf({ retry: { ...retry, longestPauseMs: 50 } }).resolve()).rejects.toMatchObject({
    code: "RegistryUnavailable",
    message: expect.stringContaining("too many requests"),
  });
  expect(performance.now() - since).toBeLessThan(1500);
});

test("openBlob() tries again when it gets 503 twice", async () => {
  const blob = registry.putBlob(big, "x");
  let refusals = 2;
  registry.mischief = (_, response) => refusals-- > 0 && !!response.writeHead(503).end("busy");
  expect((await whole(clientOf().openBlob(blob))).equals(big)).toBe(true);
  expect(registry.requests).toHaveLength(3);
});

function resetAt(bytes: number, times: number, hasRange: boolean) {
  registry.mischief = (request, response) => {
    if (!hasRange) delete request.headers.range;
    if (times-- <= 0) return false;
    response.writeHead(200, { "content-length": big.length });
    response.write(big.subarray(0, bytes), () => setTimeout(() => response.destroy(), 20));
    return true;
  };
}

test("openBlob() goes on by Range when the connection is reset in the middle", async () => {
  const blob = registry.putBlob(big, "x");
  resetAt(100_000, 1, true);
  expect((await whole(clientOf().openBlob(blob))).equals(big)).toBe(true);
  expect(registry.requests.map(({ headers }) => headers.range)).toEqual([undefined, "bytes=100000-"]);
});

test("openBlob() leaves out what it has when the server knows no Range", async () => {
  const blob = registry.putBlob(big, "x");
  resetAt(100_000, 1, false);
  expect((await whole(clientOf().openBlob(blob))).equals(big)).toBe(true);
  expect(await whole(clientOf().openBlob(blob, 299_990))).toEqual(big.subarray(299_990));
});

test("openBlob() gives up naming host and place when it breaks at the same byte each time", async () => {
  const blob = registry.putBlob(big, "x");
  resetAt(1_000, 99, false);
  await expect(whole(clientOf().openBlob(blob))).rejects.toMatchObject({
    code: "RegistryUnavailable",
    message: expect.stringContaining(host),
  });
  expect(registry.requests.length).toBeLessThanOrEqual(4);
});

test.each([
  ["comes to a stop", 0],
  ["drips", 50],
])("openBlob() gives up when the body %s", async (_, dripMs) => {
  const blob = registry.putBlob(big, "x");
  registry.mischief = (_request, response) => {
    response.writeHead(200, { "content-length": big.length });
    response.write("x");
    const drip = dripMs > 0 ? setInterval(() => response.write("x"), dripMs) : undefined;
    response.on("close", () => clearInterval(drip));
    return true;
  };
  const since = performance.now();
  await expect(
    whole(clientOf({ progressTimeoutMs: 200, retry: { ...retry, attempts: 2 } }).openBlob(blob)),
  ).rejects.toMatchObject({ code: "RegistryUnavailable", message: expect.stringContaining("nothing came for 0.2 s") });
  expect(performance.now() - since).toBeLessThan(2_000);
});

test("openBlob() does not take a slow reader for a slow registry", async () => {
  const blob = registry.putBlob(big, "x");
  const client = clientOf({ progressTimeoutMs: 60, retry: { ...retry, attempts: 1 } });
  let length = 0;
  for await (const chunk of client.openBlob(blob)) {
    length += chunk.length;
    await new Promise((resolve) => setTimeout(resolve, 70));
  }
  expect(length).toBe(big.length);
});

test("resolve() gives up when no answer comes", async () => {
  registry.mischief = () => true;
  await expect(clientOf({ progressTimeoutMs: 50, retry: { ...retry, attempts: 2 } }).resolve()).rejects.toMatchObject({
    code: "RegistryUnavailable",
    message: expect.stringContaining("no answer within 0.05 s"),
  });
  expect(registry.requests).toHaveLength(2);
});

test.each([
  ["announces more", big.length + 1],
  ["announces less", big.length - 1],
])("openBlob() refuses before the first byte when the registry %s", async (_, length) => {
  const blob = registry.putBlob(big, "x");
  registry.mischief = (_request, response) => {
    response.writeHead(200, { "content-length": length });
    response.write("x");
    return true;
  };
  let count = 0;
  await expect(
    (async () => {
      for await (const chunk of clientOf().openBlob(blob)) count += chunk.length;
    })(),
  ).rejects.toMatchObject({ code: "InvalidArgument" });
  expect(count).toBe(0);
  expect(registry.requests).toHaveLength(1);
});

test("openBlob() ends at the descriptor's size when the body is endless", async () => {
  const blob = registry.putBlob(big, "x");
  registry.mischief = (_request, response) => {
    const more = () => {
      while (!response.destroyed && response.write(big));
      response.once("drain", more);
    };
    more();
    return true;
  };
  let count = 0;
  await expect(
    (async () => {
      for await (const chunk of clientOf().openBlob(blob)) count += chunk.length;
    })(),
  ).rejects.toMatchObject({ code: "InvalidArgument" });
  expect(count).toBeLessThanOrEqual(big.length);
});

test("each method asks the next host when one is down, has nothing or lies", async () => {
  const { other, otherHost } = await another();
  const { manifest, layers } = registry.putImage("v1", ["x"]);
  const dead = await deadHost();
  const hosts = [hostOf(dead), hostOf(otherHost), hostOf(host)];
  const client = clientOf({ hosts });
  expect((await client.resolve()).descriptor).toEqual(manifest);
  other.mischief = (_, response) => !!response.writeHead(200).end("{}");
  expect(sha256(await client.fetchManifest(manifest))).toBe(manifest.digest);
  other.mischief = (_, response) => !!response.writeHead(200, { "content-length": 1 }).end("x");
  expect(sha256(await whole(client.openBlob(layers[0]!)))).toBe(layers[0]!.digest);
  expect(other.requests).toHaveLength(3);
});

test("openBlob() goes on at the next host when one breaks off for good", async () => {
  const { other, otherHost } = await another();
  const blob = registry.putBlob(big, "x");
  other.mischief = (request, response) => {
    if (request.headers.range) return !!response.writeHead(500).end();
    response.writeHead(200, { "content-length": big.length });
    response.write(big.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 20));
    return true;
  };
  expect((await whole(clientOf({ hosts: [hostOf(otherHost), hostOf(host)] }).openBlob(blob))).equals(big)).toBe(true);
  expect(registry.requests[0]!.headers.range).toBe("bytes=100000-");
});

test("the error names every host and its reason when all fail", async () => {
  const dead = await deadHost();
  const error = await clientOf({ hosts: [hostOf(dead), hostOf(host)] })
    .resolve()
    .catch((thrown) => thrown);
  expect(error.code).toBe("NotFound");
  expect(error.message).toContain(`${host}/team/app:v1: not found`);
  expect(error.message).toContain(dead);
  expect(error.message).toContain("connection refused");
  const reverse = await clientOf({ hosts: [hostOf(host), hostOf(dead)] })
    .resolve()
    .catch((thrown) => thrown);
  expect(reverse.code).toBe("RegistryUnavailable");
});

test("resolve() passes by a host that may not say what a tag is, and openBlob() uses it", async () => {
  const { other, otherHost } = await another();
  const { manifest } = registry.putImage("v1", ["x"]);
  const blob = other.putBlob(big, "x");
  const mirror = hostOf(otherHost, { capabilities: { pull: true, resolve: false, push: false } });
  const client = clientOf({ hosts: [mirror, hostOf(host)] });
  expect((await client.resolve()).descriptor).toEqual(manifest);
  expect(other.requests).toEqual([]);
  await whole(client.openBlob(blob));
  expect(other.requests).toHaveLength(1);
});

test("resolve() speaks TLS when the authority is given or nothing is verified, and refuses otherwise", async () => {
  const secure = new FakeRegistry();
  const secureHost = await secure.start(testCertificate);
  closers.push(() => secure.stop());
  const { manifest } = secure.putImage("v1", ["x"]);
  const resolveWith = (tls: Partial<RegistryHost["tls"]>) =>
    clientOf({
      hosts: [hostOf(secureHost, { tls: { ca: [], client: [], skipVerify: false, ...tls } }, "https")],
    }).resolve();
  expect((await resolveWith({ ca: [testCertificate.cert] })).descriptor).toEqual(manifest);
  expect((await resolveWith({ skipVerify: true })).descriptor).toEqual(manifest);
  await expect(resolveWith({})).rejects.toMatchObject({
    code: "FailedPrecondition",
    message: expect.stringContaining("certificate is not trusted"),
  });
});

test("resolve() goes over to HTTP when the host may be plain, and else does not", async () => {
  const { manifest } = registry.putImage("v1", ["x"]);
  const tls = { ca: [], client: [], skipVerify: true };
  const hosts = [hostOf(host, { tls, mayBePlain: true }, "https")];
  expect((await clientOf({ hosts }).resolve()).descriptor).toEqual(manifest);
  await expect(clientOf({ hosts: [hostOf(host, { tls }, "https")] }).resolve()).rejects.toMatchObject({
    code: "RegistryUnavailable",
  });
});

test("all methods end with Cancelled at once when the signal aborts", async () => {
  const controller = new AbortController();
  const blob = registry.putBlob(big, "x");
  registry.mischief = (_, response) => {
    response.writeHead(200, { "content-length": big.length });
    response.write("x");
    return true;
  };
  const client = clientOf({ signal: controller.signal });
  const running = whole(client.openBlob(blob));
  setTimeout(() => controller.abort(), 50);
  await expect(running).rejects.toMatchObject({ code: "Cancelled" });
  await expect(client.resolve()).rejects.toMatchObject({ code: "Cancelled" });
});

test("openBlob() leaves no connection when its reader goes away", async () => {
  const blob = registry.putBlob(big, "x");
  let isClosed = false;
  registry.mischief = (_, response) => {
    response.writeHead(200, { "content-length": big.length });
    response.write(big.subarray(0, 1000));
    response.on("close", () => {
      isClosed = true;
    });
    return true;
  };
  for await (const _ of clientOf().openBlob(blob)) break;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(isClosed).toBe(true);
  expect(createHash("sha256").update(big).digest("hex")).toBe(blob.digest.slice(7));
});
