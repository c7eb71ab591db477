import { execFileSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { SandboxId } from "../../api/ids";
import type { StreamRequest } from "./requests";
import { type ServeStream, type StreamingOptions, StreamingServer } from "./server";
import { streamingOptions } from "./streaming-options";

const request: StreamRequest = { kind: "portforward", sandboxId: "s".repeat(64) as SandboxId, ports: [] };
const options: StreamingOptions = { address: "127.0.0.1:0", tls: undefined, idleTimeoutMs: 60_000 };
const upgrade: ServeStream = (_request, { socket }) => {
  socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
};

let server: StreamingServer;
afterEach(() => server.stop());

async function listening(overrides: Partial<StreamingOptions> = {}) {
  server = new StreamingServer({ ...options, ...overrides });
  await server.listen(upgrade);
}

function statusOf(url: string, headers: Record<string, string> = { connection: "Upgrade", upgrade: "x" }) {
  const { request: send } = url.startsWith("https") ? https : http;
  return new Promise<number>((resolve, reject) => {
    const sent = send(url, { headers, agent: false, rejectUnauthorized: false } as https.RequestOptions);
    sent.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode!);
    });
    sent.on("response", (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    sent.on("error", reject).end();
  });
}

describe("a URL", () => {
  test("is absolute and good once", async () => {
    await listening();
    const url = server.urlFor(request);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/portforward\/[\w-]{32}$/);
    expect(await statusOf(url)).toBe(101);
    expect(await statusOf(url)).toBe(404);
  });

  test("is spent by a request that does not upgrade", async () => {
    await listening();
    const url = server.urlFor(request);
    expect(await statusOf(url, {})).toBe(400);
    expect(await statusOf(url)).toBe(404);
    expect(await statusOf(url, {})).toBe(404);
  });

  test("does nothing for a page in a browser, at another door or with more behind it", async () => {
    await listening();
    const url = server.urlFor(request);
    expect(await statusOf(url, { connection: "Upgrade", upgrade: "x", origin: "null" })).toBe(403);
    expect(await statusOf(`${url}/more`)).toBe(404);
    expect(await statusOf(url.replace("portforward", "exec"))).toBe(404);
  });

  test("may have a query, which is the kubelet's", async () => {
    await listening();
    expect(await statusOf(`${server.urlFor(request)}?input=1`)).toBe(101);
  });

  test("is not given out by a server that does not listen", () => {
    server = new StreamingServer(options);
    expect(() => server.urlFor(request)).toThrow(/does not listen/);
  });
});

test("stop() ends the sessions", async () => {
  server = new StreamingServer(options);
  let closed: Promise<unknown> | undefined;
  await server.listen((_request, { socket }) => {
    closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    setImmediate(() => server.stop());
  });
  const sent = http.request(server.urlFor(request), { headers: { connection: "Upgrade", upgrade: "x" }, agent: false });
  sent.on("upgrade", (_response, socket) => socket.on("error", () => {})).on("error", () => {});
  sent.end();
  while (!closed) await new Promise((resolve) => setTimeout(resolve, 5));
  await closed;
});

test("a connection on which nothing moves is closed", async () => {
  server = new StreamingServer({ ...options, idleTimeoutMs: 100 });
  let closed: Promise<unknown> | undefined;
  await server.listen((_request, { socket }) => {
    closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
  });
  await statusOf(server.urlFor(request)).catch(() => {});
  await closed;
});

test("TLS when it is configured", async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-tls-"));
  try {
    const tls = { certFile: path.join(directory, "cert.pem"), keyFile: path.join(directory, "key.pem") };
    const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"];
    execFileSync("openssl", [...args, "-keyout", tls.keyFile, "-out", tls.certFile], { stdio: "ignore" });
    await listening({ tls });
    expect(server.urlFor(request)).toMatch(/^https:/);
    expect(await statusOf(server.urlFor(request))).toBe(101);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});

test("a certificate without its key is refused, and so is an address that is none", () => {
  server = new StreamingServer(options);
  const config = {
    address: "127.0.0.1:0",
    tls_cert_file: "/cert",
    tls_key_file: "",
    idle_timeout_s: 1,
    stream_creation_timeout_s: 1,
  };
  expect(() => streamingOptions(config)).toThrow(/go together/);
  expect(() => streamingOptions({ ...config, tls_cert_file: "", address: "here" })).toThrow(/no address/);
  expect(streamingOptions({ ...config, tls_cert_file: "" })).toEqual({ ...options, idleTimeoutMs: 1000 });
});
