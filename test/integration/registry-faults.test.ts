import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import http, { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { AuthConfig, Init } from "../../api/messages";
import { Client } from "../../cri/client/client";
import { FakeRegistry } from "../../images/fake-registry";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { type Image, type Layer, makeImage, makeLayer } from "../support/images";
import { freePort } from "../support/unique";

/** Registries that fail, lie or are out for credentials; each has an image of its own, pulled beside the others. */
jest.setTimeout(60_000);

const indexType = "application/vnd.oci.image.index.v1+json";

let daemon: TestDaemon;
let client: Client;
let metricsAddress = "";
let collector: http.Server;
let traces = "";
const registries: FakeRegistry[] = [];

interface Asked {
  registry: FakeRegistry;
  /** With its port. */
  host: string;
  image: Image;
  /** Its one layer. */
  blob: Layer;
  /** When requests came. */
  atMs: number[];
  /** Bytes of endless answers. */
  sentBytes: number;
  /** What came of the pull; undefined where it succeeded. */
  error?: string;
}
/** Answers in the registry's place where it gives true. */
type Answer = (request: IncomingMessage, response: ServerResponse, asked: Asked) => boolean;

async function startRegistry(): Promise<{ registry: FakeRegistry; host: string }> {
  const registry = new FakeRegistry();
  registries.push(registry);
  return { registry, host: await registry.start() };
}

async function pullFrom(answer: Answer, auth?: Init<AuthConfig>): Promise<Asked> {
  const image = makeImage({ layers: [makeLayer([{ path: "r", body: randomBytes(200_000) }])] });
  const asked: Asked = { ...(await startRegistry()), image, blob: image.layers[0]!, atMs: [], sentBytes: 0 };
  asked.registry.putMade("v1", image);
  asked.registry.mischief = (request, response) => {
    asked.atMs.push(performance.now());
    return answer(request, response, asked);
  };
  try {
    await client.image("PullImage", { image: { image: `${asked.host}/team/app:v1` }, auth });
  } catch (error) {
    asked.error = (error as Error).message;
  }
  return asked;
}

const ofBlob = ({ url = "" }: IncomingMessage, { blob }: Asked) => url.includes(blob.digest);
const ofManifest = ({ url = "" }: IncomingMessage) => url.includes("/manifests/");

function reply(response: ServerResponse, code: number, headers: OutgoingHttpHeaders = {}, body = ""): true {
  response.writeHead(code, headers).end(body);
  return true;
}

/** Sends the beginning of a blob, and then nothing. */
function begin(response: ServerResponse, { blob }: Asked, bytes: number): true {
  response.writeHead(200, { "content-length": blob.size }).write(blob.bytes.subarray(0, bytes));
  return true;
}

/** Sends and sends for as long as somebody reads. */
function endlessly(response: ServerResponse, asked: Asked): true {
  const piece = Buffer.alloc(1 << 20, "x");
  const more = () => {
    while (!response.destroyed && asked.sentBytes < 1 << 30) {
      asked.sentBytes += piece.length;
      if (!response.write(piece)) return void response.once("drain", more);
    }
  };
  more();
  return true;
}

const cases: [name: string, answer: Answer, error?: RegExp][] = [
  [
    "says 429 once, with a Retry-After",
    (_, response, { atMs }) => atMs.length === 1 && reply(response, 429, { "retry-after": "1" }),
  ],
  ["says 429 for ever", (_, response) => reply(response, 429), /RegistryUnavailable.*too many requests/],
  ["says 500 twice", (_, response, { atMs }) => atMs.length <= 2 && reply(response, 500)],
  [
    "says 503 for a blob once",
    (request, response, asked) =>
      ofBlob(request, asked) &&
      asked.registry.requests.filter(({ url }) => url.includes(asked.blob.digest)).length === 1 &&
      reply(response, 503, {}, "busy"),
  ],
  ["says 500 for ever", (_, response) => reply(response, 500), /RegistryUnavailable.*status 500/],
  ["never answers", () => true, /RegistryUnavailable.*no answer within 1 s/],
  [
    "comes to a stop in a blob",
    (request, response, asked) => ofBlob(request, asked) && begin(response, asked, 2000),
    /RegistryUnavailable.*nothing came for 1 s/,
  ],
  [
    "drips",
    (request, response, asked) => {
      if (!ofBlob(request, asked)) return false;
      begin(response, asked, 1);
      const drip = setInterval(() => response.write("x"), 50);
      response.on("close", () => clearInterval(drip));
      return true;
    },
    /RegistryUnavailable.*nothing came for 1 s/,
  ],
  [
    "resets the connection in a blob",
    (request, response, asked) => {
      if (!ofBlob(request, asked) || request.headers.range !== undefined) return false;
      begin(response, asked, 100_000);
      setTimeout(() => response.destroy(), 100);
      return true;
    },
  ],
  [
    "sends other bytes than the digest's",
    (request, response, asked) => ofBlob(request, asked) && reply(response, 200, {}, "x".repeat(asked.blob.size)),
    /blob sha256:.* came with the digest sha256:/,
  ],
  [
    "sends less than the descriptor's size",
    (request, response, asked) => ofBlob(request, asked) && reply(response, 200, {}, "x".repeat(100)),
    /RegistryUnavailable.*broke off after 100 of/,
  ],
  [
    "announces another size",
    (request, response, asked) =>
      ofBlob(request, asked) && !!response.writeHead(200, { "content-length": asked.blob.size + 1 }).write("x"),
    /bytes are announced for/,
  ],
  [
    "sends a blob without end",
    (request, response, asked) => ofBlob(request, asked) && endlessly(response, asked),
    /refused: more than \d+ bytes came/,
  ],
  [
    "sends a manifest as an index",
    (request, response, { image }) =>
      ofManifest(request) &&
      reply(response, 200, { "content-type": indexType }, request.method === "HEAD" ? "" : image.bytes.toString()),
    /it says that it is .*, and came as/,
  ],
  [
    "sends another manifest than it said",
    (request, response, { image }) =>
      ofManifest(request) &&
      request.method !== "HEAD" &&
      reply(response, 200, { "content-type": image.mediaType }, "{}"),
    /sent wrong contents: manifest sha256:/,
  ],
  [
    "announces a gigantic manifest",
    (request, response) => ofManifest(request) && reply(response, 200, { "content-length": 5 << 20 }),
    /larger than 4194304 bytes/,
  ],
  [
    "sends a manifest without end",
    (request, response, asked) =>
      ofManifest(request) && (request.method === "HEAD" ? reply(response, 405) : endlessly(response, asked)),
    /larger than 4194304 bytes/,
  ],
  [
    "names a layer by a malformed digest",
    (request, response, { image }) => {
      if (!ofManifest(request)) return false;
      if (request.method === "HEAD") return reply(response, 405);
      const bad = image.bytes.toString().replaceAll(/sha256:([0-9a-f]{20})/g, "sha256:../../$1");
      return reply(response, 200, { "content-type": image.mediaType }, bad);
    },
    /for a sha256 digest/,
  ],
  [
    "has its layers elsewhere",
    (request, response, { image }) => {
      if (!ofManifest(request)) return false;
      if (request.method === "HEAD") return reply(response, 405);
      const manifest = JSON.parse(image.bytes.toString());
      manifest.layers[0].urls = ["http://127.0.0.1:1/layer"];
      return reply(response, 200, { "content-type": image.mediaType }, JSON.stringify(manifest));
    },
    /is to be fetched from a foreign URL/,
  ],
  ["redirects in a circle", (_, response) => reply(response, 302, { location: "/v2/there" }), /redirects in a circle/],
  [
    "redirects without end",
    (_, response, { atMs }) => reply(response, 302, { location: `/v2/there/${atMs.length}` }),
    /more than 10 redirects/,
  ],
  [
    "redirects with a body without end",
    (request, response, asked) => {
      if (!ofManifest(request) || request.method === "HEAD") return ofManifest(request) && reply(response, 405);
      response.writeHead(302, { location: `/v2/there/${asked.atMs.length}` });
      return endlessly(response, asked);
    },
    /not found/,
  ],
  [
    "wants a token whatever it gets",
    (request, response, { atMs, host }) =>
      request.url!.startsWith("/token")
        ? reply(response, 200, {}, JSON.stringify({ token: `t${atMs.length}` }))
        : reply(response, 401, { "www-authenticate": `Bearer realm="http://${host}/token",service="s"` }),
    /pull access denied/,
  ],
  [
    "sends an error without end",
    (request, response, asked) => {
      if (!ofManifest(request) || request.method === "HEAD") return ofManifest(request) && reply(response, 405);
      response.writeHead(403);
      return endlessly(response, asked);
    },
    /pull access denied/,
  ],
];

const outcomes = new Map<string, Promise<Asked>>();
let peakBefore = 0;

/** The most memory that the daemon has had, in bytes. */
function peakBytes(): number {
  const status = fs.readFileSync(`/proc/${daemon.child!.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

beforeAll(async () => {
  collector = http.createServer(async (request, response) => {
    for await (const chunk of request) traces += (chunk as Buffer).toString("latin1");
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  metricsAddress = `127.0.0.1:${await freePort()}`;
  daemon = await startDaemon({
    options: {
      images: { progress_timeout_s: 1 },
      log: { level: "debug" },
      metrics: { address: metricsAddress },
      tracing: { endpoint, sampling_rate_per_million: 1_000_000 },
    },
  });
  client = new Client(daemon.socket);
  expect((await pullFrom(() => false)).error).toBeUndefined();
  peakBefore = peakBytes();
  for (const [name, answer] of cases) outcomes.set(name, pullFrom(answer));
}, 60_000);

afterAll(async () => {
  client?.close();
  await daemon?.remove();
  for (const registry of registries) await registry.stop();
  collector?.closeAllConnections();
  collector?.close();
}, 60_000);

describe("a registry that fails or lies", () => {
  const names = cases.map(([name, , expected]): [string, RegExp | null] => [name, expected ?? null]);
  test.each(names)("the pull ends as it must when it %s", async (name, expected) => {
    const { error, host } = await outcomes.get(name)!;
    if (expected === null) {
      expect(error).toBeUndefined();
      return;
    }
    expect(error).toMatch(expected);
    expect(error).toContain(host);
    expect(error!.length).toBeLessThan(1500);
  });

  test("a Retry-After is waited for, and what a reset left out is asked for alone", async () => {
    const { atMs } = await outcomes.get("says 429 once, with a Retry-After")!;
    expect(atMs[1]! - atMs[0]!).toBeGreaterThanOrEqual(990);
    const { registry, blob } = await outcomes.get("resets the connection in a blob")!;
    const ranges = registry.requests.filter(({ url }) => url.includes(blob.digest)).map(({ headers }) => headers.range);
    expect(ranges).toEqual([undefined, "bytes=100000-"]);
  });

  test("what will not do is given up after a few tries, what is a lie at once", async () => {
    for (const [name] of cases) {
      const { registry, error } = await outcomes.get(name)!;
      const most = error?.includes("redirects") ? 12 : 8;
      expect([name, registry.requests.length <= most]).toEqual([name, true]);
    }
    const { registry, blob } = await outcomes.get("sends other bytes than the digest's")!;
    expect(registry.requests.filter(({ url }) => url.includes(blob.digest))).toHaveLength(1);
  });

  test("nothing is stored of a lie, and what is endless is neither read to an end nor kept in memory", async () => {
    const succeeded: string[] = [];
    for (const [name] of cases) {
      const { error, image, sentBytes } = await outcomes.get(name)!;
      if (error === undefined) succeeded.push(image.config.digest);
      // what a megabyte or two of buffers on both sides take
      expect([name, sentBytes < 64 << 20]).toEqual([name, true]);
    }
    const { images } = await client.image("ListImages", {});
    expect(images.map(({ id }) => id)).toEqual(expect.arrayContaining(succeeded));
    expect(images).toHaveLength(succeeded.length + 1);
    expect(fs.readdirSync(path.join(daemon.root, "content/ingest"))).toEqual([]);
    const blobs = path.join(daemon.root, "content/blobs/sha256");
    for (const name of fs.readdirSync(blobs)) {
      expect(
        createHash("sha256")
          .update(fs.readFileSync(path.join(blobs, name)))
          .digest("hex"),
      ).toBe(name);
    }
    expect(peakBytes() - peakBefore).toBeLessThan(128 << 20);
  });
});

describe("credentials", () => {
  const password = `hunter-${randomBytes(8).toString("hex")}`;
  const token = `t0ken-${randomBytes(8).toString("hex")}`;
  const basic = Buffer.from(`me:${password}`).toString("base64");
  const secrets = [password, token, basic];

  /** What the daemon has sent to prove who asks; a registry would see no more. */
  const proofOf = ({ headers, url = "" }: IncomingMessage) => `${headers.authorization ?? ""} ${url}`;
  const challenge = { "www-authenticate": 'Basic realm="x"' };

  const echoes: [name: string, auth: Init<AuthConfig>, answer: Answer][] = [
    [
      "an error",
      { username: "me", password },
      (request, response) => {
        if (!request.headers.authorization) return reply(response, 401, challenge);
        if (request.method === "HEAD") return reply(response, 405);
        return reply(response, 403, {}, `denied: ${proofOf(request)} ${password} http://me:${password}@h/?p=${basic}`);
      },
    ],
    [
      "an error in JSON",
      { auth: basic },
      (request, response) => {
        if (!request.headers.authorization) return reply(response, 401, challenge);
        if (request.method === "HEAD") return reply(response, 405);
        const message = `${proofOf(request)} ${password}`;
        return reply(response, 400, {}, JSON.stringify({ errors: [{ code: "DENIED", message }] }));
      },
    ],
    [
      "the digest's header",
      { registryToken: token },
      (request, response) =>
        reply(response, 200, { "docker-content-digest": proofOf(request), "content-length": 5 }, ""),
    ],
    [
      "a redirect that cannot be followed",
      { registryToken: token },
      (request, response) => reply(response, 302, { location: `ftp://h/${proofOf(request)}` }),
    ],
    [
      "a redirect to where nobody is",
      { registryToken: token },
      (_, response) => reply(response, 302, { location: `http://me:${password}@127.0.0.1:1/${token}?sig=${token}` }),
    ],
    [
      "a manifest",
      { registryToken: token },
      (request, response) =>
        request.method === "HEAD"
          ? reply(response, 405)
          : reply(
              response,
              200,
              { "content-type": "application/vnd.oci.image.manifest.v1+json" },
              JSON.stringify({ schemaVersion: 2, mediaType: proofOf(request) }),
            ),
    ],
    [
      "the answer of the realm of tokens",
      { username: "me", password },
      (request, response, { host }) =>
        request.url!.startsWith("/token")
          ? reply(response, 401, {}, `no: ${proofOf(request)} ${password}`)
          : reply(response, 401, { "www-authenticate": `Bearer realm="http://${host}/token",service="s"` }),
    ],
    [
      "the token that it gives",
      { identityToken: token },
      (request, response, { host }) =>
        request.url!.startsWith("/token")
          ? reply(response, 200, {}, JSON.stringify({ token: `${token}-given`, expires_in: 300 }))
          : reply(
              response,
              request.headers.authorization ? 403 : 401,
              { "www-authenticate": `Bearer realm="http://${host}/token",service="s"` },
              proofOf(request),
            ),
    ],
  ];

  test.each(echoes)("the error has none when the registry sends them back in %s", async (_, auth, answer) => {
    const { error, host, registry } = await pullFrom(answer, auth);
    expect(error).toContain(host);
    for (const secret of secrets) expect(error).not.toContain(secret);
    const sent = registry.requests.map(({ headers }) => headers.authorization ?? "").join();
    // it has been sent what it echoes
    expect(`${sent}${registry.requests.map(({ url }) => url).join()}`).toMatch(/Basic|Bearer|token/);
  });

  test("a pull by a name with a password in it is refused without it", async () => {
    const text = `http://me:${password}@127.0.0.1:1/team/app:v1`;
    const error = await client.image("PullImage", { image: { image: text } }).catch((thrown) => thrown);
    expect(error.message).toContain("is not an image reference");
    expect(error.message).not.toContain(password);
  });

  test("no other host gets them: by a redirect, a redirected realm, or a layer that lies elsewhere", async () => {
    const { registry: other, host: otherHost } = await startRegistry();
    other.mischief = (request, response) =>
      request.url!.startsWith("/token")
        ? reply(response, 200, {}, JSON.stringify({ token: "stranger" }))
        : reply(response, 401, challenge);
    const auth = { username: "me", password };
    const redirected = await pullFrom((request, response, asked) => {
      if (!request.headers.authorization) return reply(response, 401, challenge);
      return ofBlob(request, asked) && reply(response, 307, { location: `http://${otherHost}${request.url}` });
    }, auth);
    expect(redirected.error).toContain(otherHost);
    const realm = await pullFrom((request, response, { host }) => {
      if (request.url!.startsWith("/token")) {
        return reply(response, 307, { location: `http://${otherHost}${request.url}` });
      }
      if (request.headers.authorization) return false;
      return reply(response, 401, { "www-authenticate": `Bearer realm="http://${host}/token",service="s"` });
    }, auth);
    expect(realm.error).toBeUndefined();
    const foreign = await pullFrom((request, response, { image }) => {
      if (!request.headers.authorization) return reply(response, 401, challenge);
      if (!ofManifest(request)) return false;
      if (request.method === "HEAD") return reply(response, 405);
      const manifest = JSON.parse(image.bytes.toString());
      manifest.layers[0].urls = [`http://${otherHost}/layer`];
      return reply(response, 200, { "content-type": image.mediaType }, JSON.stringify(manifest));
    }, auth);
    expect(foreign.error).toMatch(/foreign URL/);
    expect(other.requests.length).toBeGreaterThanOrEqual(2);
    expect(other.requests.some(({ url }) => url === "/layer")).toBe(false);
    expect(other.requests.filter(({ headers }) => headers.authorization)).toEqual([]);
  });

  test("they stand in no log, metric, trace or file of the daemon", async () => {
    const scraped = await (await fetch(`http://${metricsAddress}/metrics`)).text();
    expect(scraped).toContain("berth_");
    await daemon.stop();
    expect(traces).toContain("PullImage");
    expect(daemon.readLog()).toContain("PullImage");
    const written = fs.readdirSync(daemon.directory, { recursive: true, withFileTypes: true });
    const files = written.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name));
    const places = new Map([
      ["metrics", scraped],
      ["traces", traces],
      ...files.map((file): [string, string] => [file, fs.readFileSync(file, "latin1")]),
    ]);
    for (const [place, text] of places) {
      for (const secret of secrets) expect([place, text.includes(secret)]).toEqual([place, false]);
    }
  });
});
