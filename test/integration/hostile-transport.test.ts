import { randomBytes } from "node:crypto";
import fs from "node:fs";
import http2 from "node:http2";
import net from "node:net";
import zlib from "node:zlib";
import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { RawClient, rawMethods } from "./hostile/raw-client";

/** What comes to the socket and is no gRPC, or more of it than a daemon should take. */
let daemon: TestDaemon;
let client: RawClient;
let pid: number;
let files: number;

const version = rawMethods.find(({ name }) => name === "Version")!;
const status_ = rawMethods.find(({ name }) => name === "Status")!;
const openFiles = () => fs.readdirSync(`/proc/${pid}/fd`).length;
const memoryOf = (field: "VmHWM" | "VmRSS") =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;

async function eventually<T>(look: () => T, isGood: (value: T) => boolean): Promise<T> {
  for (let i = 0; ; i++) {
    const value = look();
    if (isGood(value) || i >= 400) return value;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

beforeAll(async () => {
  daemon = await startDaemon();
  pid = daemon.child!.pid!;
  client = new RawClient(daemon.socket);
  await client.call(version, Buffer.alloc(0));
  files = openFiles();
}, 60_000);

afterEach(async () => {
  const { code } = await client.call(version, Buffer.alloc(0));
  expect([code, daemon.child!.exitCode]).toEqual([status.OK, null]);
  expect(await eventually(openFiles, (count) => count <= files)).toBeLessThanOrEqual(files);
  expect(daemon.readLog()).not.toMatch(/unhandled|uncaught|\n\s+at /i);
});

afterAll(async () => {
  client?.close();
  await daemon?.remove();
}, 60_000);

/** Writes bytes to the socket and waits until the daemon closes, or has had its time to. */
function write(...chunks: Buffer[]): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect(daemon.socket, () => {
      for (const chunk of chunks) socket.write(chunk);
      setTimeout(() => socket.destroy(), 300);
    });
    socket.on("error", () => {}).on("close", () => resolve());
    socket.resume();
  });
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** RFC 9113, section 4.1. */
function frame(type: number, flags: number, streamId: number, payload: Buffer, length = payload.length): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}
const settings = frame(4, 0, 0, Buffer.alloc(0));

interface Http2Answer {
  httpStatus: number;
  grpcStatus: number | undefined;
  message: string;
}

/** One HTTP/2 request with any headers and body. */
function request(headers: http2.OutgoingHttpHeaders, body: Buffer): Promise<Http2Answer> {
  return new Promise((resolve, reject) => {
    const session = http2.connect("http://localhost", { createConnection: () => net.connect(daemon.socket) });
    session.on("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": version.path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const answer: Http2Answer = { httpStatus: 0, grpcStatus: undefined, message: "" };
    const take = (received: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader) => {
      answer.httpStatus = received[":status"] ?? answer.httpStatus;
      if (received["grpc-status"] !== undefined) answer.grpcStatus = Number(received["grpc-status"]);
      answer.message = decodeURIComponent(String(received["grpc-message"] ?? answer.message));
    };
    stream.on("response", take);
    stream.on("trailers", take);
    stream.on("error", () => {});
    stream.on("close", () => {
      session.destroy();
      resolve(answer);
    });
    stream.resume();
    stream.end(body);
  });
}

/** The frame around a gRPC message: whether it is compressed, and its length, true or not. */
function message(bytes: Buffer, { compressed = false, length = bytes.length } = {}): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(compressed ? 1 : 0, 0);
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, bytes]);
}

describe("bytes that are no gRPC", () => {
  test.each<[string, () => Buffer[]]>([
    ["nothing", () => []],
    ["zeros", () => [Buffer.alloc(100_000)]],
    ["noise", () => [randomBytes(100_000)]],
    ["HTTP/1.1", () => [Buffer.from("POST /runtime.v1.RuntimeService/Version HTTP/1.1\r\nHost: x\r\n\r\n")]],
    ["TLS", () => [Buffer.from("160301020001000 1fc0303".replace(" ", ""), "hex"), randomBytes(512)]],
    ["half a preface", () => [preface.subarray(0, 10)]],
    ["noise after the preface", () => [preface, randomBytes(100_000)]],
    ["noise after the settings", () => [preface, settings, randomBytes(100_000)]],
    ["a frame of 16 MiB", () => [preface, settings, frame(0, 0, 1, randomBytes(1000), 0xffffff)]],
    ["headers that are no HPACK", () => [preface, settings, frame(1, 4, 1, randomBytes(1000))]],
    ["data on a stream that is not open", () => [preface, settings, frame(0, 1, 7, Buffer.alloc(100))]],
    ["a window of nothing", () => [preface, settings, frame(8, 0, 0, Buffer.alloc(4))]],
    ["frames of no known type", () => [preface, settings, ...Array(1000).fill(frame(99, 0xff, 3, Buffer.alloc(8)))]],
  ])("%s", async (_, chunks) => {
    await write(...chunks());
  });
});

describe("floods", () => {
  const headers = Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST, :scheme http
    ...[
      [":path", version.path],
      [":authority", "x"],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
    ].map(([name, value]) =>
      Buffer.concat([
        Buffer.from([0, name!.length]),
        Buffer.from(name!),
        Buffer.from([value!.length]),
        Buffer.from(value!),
      ]),
    ),
  ]);
  const many = (count: number, of: (index: number) => Buffer) =>
    Buffer.concat(Array.from({ length: count }, (_, index) => of(index)));

  test.each<[string, () => Buffer]>([
    // CVE-2023-44487
    [
      "streams that are opened and reset",
      () =>
        many(20_000, (n) =>
          Buffer.concat([frame(1, 4, 2 * n + 1, headers), frame(3, 0, 2 * n + 1, Buffer.from([0, 0, 0, 8]))]),
        ),
    ],
    ["streams that are opened and never ended", () => many(20_000, (n) => frame(1, 4, 2 * n + 1, headers))],
    ["pings", () => many(50_000, () => frame(6, 0, 0, Buffer.alloc(8)))],
    ["settings", () => many(50_000, () => settings)],
    // CVE-2024-27983 and its kind
    [
      "headers without end",
      () =>
        Buffer.concat([
          frame(1, 0, 1, headers),
          many(50_000, () =>
            frame(
              9,
              0,
              1,
              Buffer.concat([Buffer.from([0, 1]), Buffer.from("a"), Buffer.from([100]), Buffer.alloc(100, "b")]),
            ),
          ),
        ]),
    ],
  ])("%s", async (_, flood) => {
    const before = memoryOf("VmRSS");
    await write(preface, settings, flood());
    expect(memoryOf("VmRSS")).toBeLessThan(before + (150 << 20));
  });

  test("connections that say nothing", async () => {
    const sockets = await Promise.all(
      Array.from(
        { length: 500 },
        () =>
          new Promise<net.Socket>((resolve) => {
            const socket = net.connect(daemon.socket, () => resolve(socket));
            socket.on("error", () => resolve(socket));
          }),
      ),
    );
    expect((await client.call(version, Buffer.alloc(0))).code).toBe(status.OK);
    for (const socket of sockets) socket.destroy();
  });
});

describe("gRPC that breaks its rules", () => {
  test("a method, a service and a path that are not there", async () => {
    for (const path of [
      "/runtime.v1.RuntimeService/Nope",
      "/no.such.Service/Version",
      "/",
      "/../../etc/passwd",
      "//",
    ]) {
      const { code } = await client.call({ ...version, path }, Buffer.alloc(0));
      expect([path, code]).toEqual([path, status.UNIMPLEMENTED]);
    }
  });

  test("another content type and another HTTP method", async () => {
    expect((await request({ "content-type": "text/html" }, Buffer.from("<html>"))).httpStatus).toBe(415);
    expect((await request({ ":method": "PUT" }, message(Buffer.alloc(0)))).grpcStatus).not.toBe(undefined);
  });

  test("a message of 100 MB, and one that claims 4 GiB, are refused before they are taken in", async () => {
    const before = memoryOf("VmHWM");
    const { code } = await client.call(status_, Buffer.alloc(100_000_000));
    expect(code).toBe(status.RESOURCE_EXHAUSTED);
    const claimed = await request({}, message(Buffer.alloc(1000), { length: 0xffffffff }));
    expect(claimed.grpcStatus).toBe(status.RESOURCE_EXHAUSTED);
    expect(memoryOf("VmHWM")).toBeLessThan(before + (64 << 20));
  });

  test("no message, half a message, and two", async () => {
    for (const body of [Buffer.alloc(0), message(Buffer.alloc(10)).subarray(0, 8), Buffer.from([0, 0])]) {
      const { grpcStatus, message: said } = await request({}, body);
      expect(grpcStatus).not.toBe(status.OK);
      expect(said).not.toMatch(/\n\s+at |TypeError/);
    }
    await request({}, Buffer.concat([message(Buffer.alloc(0)), message(Buffer.alloc(0))]));
  });

  test("compressed messages: a bomb, what is no gzip, and an encoding that nobody knows", async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(1 << 30), { level: 9 });
    const before = memoryOf("VmHWM");
    const gzip = { "grpc-encoding": "gzip" };
    expect((await request(gzip, message(bomb, { compressed: true }))).grpcStatus).toBe(status.RESOURCE_EXHAUSTED);
    expect(memoryOf("VmHWM")).toBeLessThan(before + (128 << 20));
    expect((await request(gzip, message(randomBytes(1000), { compressed: true }))).grpcStatus).not.toBe(status.OK);
    expect((await request({}, message(bomb, { compressed: true }))).grpcStatus).not.toBe(status.OK);
    const unknown = await request({ "grpc-encoding": "zip" }, message(bomb, { compressed: true }));
    expect(unknown.grpcStatus).toBe(status.UNIMPLEMENTED);
  }, 60_000);

  test("deadlines and metadata that are none", async () => {
    for (const timeout of ["-1S", "99999999999999999999H", "x", ""]) {
      const { grpcStatus, message: said } = await request({ "grpc-timeout": timeout }, message(Buffer.alloc(0)));
      expect(said).not.toMatch(/\n\s+at |TypeError/);
      expect(typeof grpcStatus).toBe("number");
    }
    const large = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`x-${n}`, "y".repeat(1000)]));
    await request(large, message(Buffer.alloc(0))).catch(() => {});
    await request({ "x-y-bin": "not base64!" }, message(Buffer.alloc(0))).catch(() => {});
  });
});
