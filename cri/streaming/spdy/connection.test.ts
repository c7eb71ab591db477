import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { SpdyConnection } from "./connection";
import { ControlType, controlFrame } from "./frames";
import type { SpdyStream } from "./stream";
import { TestSpdyClient } from "./test-client";

let server: net.Server;
let client: TestSpdyClient;
let connection: SpdyConnection;
let streams: SpdyStream[];
let closed: { error: Error | undefined } | undefined;

beforeEach(async () => {
  streams = [];
  closed = undefined;
  const accepted = new Promise<net.Socket>((resolve) => {
    server = net.createServer({ allowHalfOpen: true }, resolve);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  client = new TestSpdyClient(socket);
  connection = new SpdyConnection(await accepted, {
    maxStreams: 4,
    onStream: (stream) => streams.push(stream),
    onClose: (error) => {
      closed = { error };
    },
  });
});

afterEach(() => {
  connection.destroy();
  client.transport.destroy();
  server.close();
});

async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !isSo(); i++) await sleep(5);
  expect(isSo()).toBe(true);
}

async function opened(): Promise<SpdyStream> {
  const before = streams.length;
  await client.open({ streamType: "stdin" });
  await until(() => streams.length > before);
  return streams.at(-1)!;
}

describe("streams", () => {
  test("are answered, have their headers in lower case, and carry bytes both ways", async () => {
    const stream = await opened();
    expect(Object.fromEntries(stream.headers)).toEqual({ streamtype: "stdin" });
    await until(() => client.controls(ControlType.SYN_REPLY).length === 1);
    const got: Buffer[] = [];
    stream.on("data", (chunk) => got.push(chunk));
    client.send(1, "to ");
    client.send(1, "you", true);
    await new Promise((resolve) => stream.once("end", resolve));
    expect(Buffer.concat(got).toString()).toBe("to you");
    stream.end("and back");
    await until(() => client.hasFin(1));
    expect(client.received(1).toString()).toBe("and back");
  });

  test("open one after the other with one compression for all headers", async () => {
    for (let i = 0; i < 3; i++) await client.open({ streamType: `kind-${i}`, port: String(i) });
    await until(() => streams.length === 3);
    expect(streams.map(({ headers }) => headers.get("streamtype"))).toEqual(["kind-0", "kind-1", "kind-2"]);
    await until(() => client.controls(ControlType.SYN_REPLY).length === 3);
    const replies = client.controls(ControlType.SYN_REPLY);
    expect(replies.map((reply) => reply.readUInt32BE(0))).toEqual([1, 3, 5]);
  });

  test("past the limit, with a used or an even number are reset", async () => {
    for (let i = 0; i < 5; i++) await client.open({ n: String(i) });
    await client.open({ n: "again" }, 3);
    await client.open({ n: "even" }, 20);
    await until(() => client.controls(ControlType.RST_STREAM).length === 3);
    expect(streams).toHaveLength(4);
    expect(client.controls(ControlType.RST_STREAM).map((reset) => reset.readUInt32BE(4))).toEqual([3, 1, 1]);
  });

  test("that the client resets are closed; bytes that still come for them are dropped", async () => {
    const stream = await opened();
    const isClosed = new Promise((resolve) => stream.once("close", resolve));
    const reset = Buffer.alloc(8);
    reset.writeUInt32BE(1, 0);
    client.control(ControlType.RST_STREAM, reset);
    await isClosed;
    client.send(1, "late");
    expect(await opened()).toBeDefined();
    expect(client.controls(ControlType.RST_STREAM)).toHaveLength(0);
  });

  test("that we destroy are reset", async () => {
    (await opened()).destroy();
    await until(() => client.controls(ControlType.RST_STREAM).length === 1);
  });
});

describe("back-pressure", () => {
  test("a stream that nobody reads stops the client at a bounded number of bytes", async () => {
    const stream = await opened();
    let flushed = 0;
    const chunk = Buffer.alloc(1 << 20);
    for (let i = 0; i < 64; i++) {
      client.transport.write(Buffer.from([0, 0, 0, 1, 0, 0x10, 0, 0]));
      client.transport.write(chunk, () => {
        flushed += chunk.length;
      });
    }
    await sleep(300);
    expect(flushed).toBeLessThan(32 << 20);
    expect(stream.readableLength).toBeLessThanOrEqual(2 << 20);
    let read = 0;
    stream.on("data", (bytes: Buffer) => {
      read += bytes.length;
    });
    await until(() => read === 64 << 20);
  });

  test("a client that reads nothing stops the writer", async () => {
    const stream = await opened();
    client.transport.pause();
    let done = 0;
    for (let i = 0; i < 64; i++) {
      stream.write(Buffer.alloc(1 << 20), () => {
        done += 1;
      });
    }
    await sleep(300);
    expect(done).toBeLessThan(32);
    client.transport.resume();
    await until(() => done === 64);
  });
});

describe("the end", () => {
  test("end() lets what was sent arrive, though the client still sends", async () => {
    const stream = await opened();
    const bytes = Buffer.alloc(4 << 20, "x");
    const sending = setInterval(() => client.transport.writable && client.send(1, Buffer.alloc(1000)), 1);
    stream.resume();
    await new Promise<void>((resolve) => stream.end(bytes, () => resolve()));
    connection.end();
    await new Promise((resolve) => client.transport.once("end", resolve));
    clearInterval(sending);
    expect(client.received(1)).toHaveLength(bytes.length);
    client.transport.destroy();
    await until(() => closed !== undefined);
    expect(closed).toEqual({ error: undefined });
  });

  test("a client that goes closes its streams and tells why", async () => {
    const stream = await opened();
    // an answer that nobody has read would make the end a reset
    await until(() => client.controls(ControlType.SYN_REPLY).length === 1);
    client.transport.destroy();
    await until(() => closed !== undefined);
    expect(stream.destroyed).toBe(true);
    expect(closed!.error?.message).toMatch(/gone/);
  });
});

describe("what is refused", () => {
  const isClosed = () => until(() => closed?.error !== undefined);

  test("pings are answered, and by the thousand end the connection", async () => {
    client.control(ControlType.PING, Buffer.from([0, 0, 0, 1]));
    await until(() => client.controls(ControlType.PING).length === 1);
    const pings = Buffer.concat(Array(30_000).fill(controlFrame(ControlType.PING, Buffer.from([0, 0, 0, 3]))));
    client.transport.write(pings);
    await isClosed();
    expect(closed!.error!.message).toMatch(/too many|reads no answers/);
  });

  test("empty data frames by the thousand", async () => {
    await opened();
    client.transport.write(Buffer.concat(Array(30_000).fill(Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]))));
    await isClosed();
  });

  test("streams opened and reset by the thousand", async () => {
    const flood = async () => {
      for (let i = 0; i < 15_000 && !closed; i++) {
        const id = await client.open({ a: "b" });
        const reset = Buffer.alloc(8);
        reset.writeUInt32BE(id, 0);
        client.control(ControlType.RST_STREAM, reset);
      }
    };
    await flood();
    expect(streams.filter(({ destroyed }) => !destroyed).length).toBeLessThanOrEqual(4);
  }, 30_000);

  test.each([
    ["a control frame too large", Buffer.concat([Buffer.from("8003000100ffffff", "hex"), Buffer.alloc(100)])],
    ["a control frame too short", Buffer.from("800300010000000200000000", "hex")],
    ["another version", Buffer.from("800200060000000400000001", "hex")],
    ["headers that are no zlib", Buffer.concat([Buffer.from("8003000100000020", "hex"), Buffer.alloc(32, 7)])],
  ])("%s", async (_what, bytes) => {
    client.transport.write(bytes);
    await isClosed();
  });

  test("headers that inflate to too much", async () => {
    await client.open({ bomb: "x".repeat(1 << 20) });
    await isClosed();
    expect(streams).toHaveLength(0);
  });

  test("too many headers", async () => {
    await client.open(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`h${i}`, ""])));
    await isClosed();
  });
});
