import http from "node:http";
import type net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import type { RemoteStreams } from "./remote-streams";
import { acceptWebSocket } from "./websocket/accept";
import { channelProtocols } from "./websocket/channel-protocols";
import { openWebSocketSession } from "./websocket-session";

const flags = { stdin: true, stdout: true, stderr: true, tty: false };

let server: http.Server;
let socket: WebSocket;
let streams: RemoteStreams;
let messages: Buffer[];

beforeEach(async () => {
  server = http.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  socket.terminate();
  server.close();
  server.closeAllConnections();
});

async function open(name: string): Promise<void> {
  messages = [];
  const opened = new Promise<RemoteStreams>((resolve) => {
    server.once("upgrade", async (request, raw, head) => {
      const protocol = channelProtocols.find((each) => each.name === name)!;
      resolve(openWebSocketSession(await acceptWebSocket({ request, socket: raw, head }, name), protocol, flags));
    });
  });
  const { port } = server.address() as net.AddressInfo;
  socket = new WebSocket(`ws://127.0.0.1:${port}`, name ? [name] : []);
  socket.on("message", (message: Buffer) => messages.push(message));
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("open", resolve));
  expect(socket.protocol).toBe(name);
  streams = await opened;
}

async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !isSo(); i++) await sleep(5);
  expect(isSo()).toBe(true);
}

describe.each(channelProtocols)("$name", ({ name, base64, structuredStatus }) => {
  const encode = (channel: number, text: string) =>
    base64
      ? `${channel}${Buffer.from(text).toString("base64")}`
      : Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);
  const decode = (message: Buffer): [number, string] =>
    base64
      ? [Number(String.fromCharCode(message[0]!)), Buffer.from(message.toString("latin1", 1), "base64").toString()]
      : [message[0]!, message.toString("utf8", 1)];

  test("greets, carries bytes on their channels, and ends with the outcome", async () => {
    await open(name);
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    socket.send(encode(0, "in"));
    const input = await new Promise<Buffer>((resolve) => streams.stdin!.once("data", resolve));
    expect(input.toString()).toBe("in");
    streams.stdout!.write("out");
    streams.stderr!.write("err");
    await streams.finish({ exitCode: 3 });
    expect(await closed).toBe(1000);
    const [greeting, ...rest] = messages.map(decode);
    expect(greeting).toEqual([1, ""]);
    expect(rest.slice(0, 2)).toEqual([
      [1, "out"],
      [2, "err"],
    ]);
    const [channel, text] = rest[2]!;
    expect(channel).toBe(3);
    if (structuredStatus) expect(JSON.parse(text).details.causes[0].message).toBe("3");
    else expect(text).toMatch(/exit code 3/);
  });
});

test("v5 closes one channel by its signal; the others go on", async () => {
  await open("v5.channel.k8s.io");
  const ended = new Promise((resolve) => streams.stdin!.once("end", resolve));
  streams.stdin!.resume();
  socket.send(Buffer.from([255, 0]));
  await ended;
  socket.send(Buffer.from([0, 1, 2, 3]));
  streams.stdout!.write("still");
  await until(() => messages.some((message) => message.toString().includes("still")));
});

test("a close signal that names no channel ends the connection", async () => {
  await open("v5.channel.k8s.io");
  socket.send(Buffer.from([255]));
  expect(await new Promise((resolve) => socket.once("close", resolve))).toBe(1002);
  await until(() => streams.gone.aborted);
});

test("in v4 255 is a channel like others, and nobody reads it", async () => {
  await open("v4.channel.k8s.io");
  socket.send(Buffer.from([255, 0]));
  socket.send(Buffer.from([0, 65]));
  expect(await new Promise<Buffer>((resolve) => streams.stdin!.once("data", resolve))).toEqual(Buffer.from("A"));
});

test("input that nobody takes stops the client, and goes on when somebody does", async () => {
  await open("v5.channel.k8s.io");
  const chunk = Buffer.alloc(1 << 20);
  for (let i = 0; i < 40; i++) socket.send(chunk);
  await sleep(300);
  expect(streams.stdin!.readableLength).toBeLessThan(4 << 20);
  expect(socket.bufferedAmount).toBeGreaterThan(8 << 20);
  let read = 0;
  streams.stdin!.on("data", (bytes: Buffer) => {
    read += bytes.length;
  });
  await until(() => read === 40 * (chunk.length - 1));
});

test("a client that does not read stops the writer; one that goes ends it", async () => {
  await open("v5.channel.k8s.io");
  socket.pause();
  let written = 0;
  for (let i = 0; i < 40; i++) {
    streams.stdout!.write(Buffer.alloc(1 << 20), (error) => {
      if (!error) written += 1;
    });
  }
  await sleep(300);
  expect(written).toBeLessThan(30);
  socket.terminate();
  await until(() => streams.gone.aborted);
  expect(streams.stdout!.destroyed).toBe(true);
});
