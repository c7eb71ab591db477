import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { BerthError } from "../../api/errors";
import { runPortForwardSession } from "./port-forward-session";
import { ControlType } from "./spdy/frames";
import { TestSpdyClient } from "./spdy/test-client";

let server: net.Server;
let pod: net.Server;
let client: TestSpdyClient;
let session: Promise<void>;
const inPod: net.Socket[] = [];

const listen = (each: net.Server) =>
  new Promise<number>((resolve) =>
    each.listen(0, "127.0.0.1", () => resolve((each.address() as net.AddressInfo).port)),
  );

beforeEach(async () => {
  pod = net.createServer({ allowHalfOpen: true }, (socket) => {
    inPod.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => socket.write(`<${chunk}>`));
    socket.on("end", () => socket.end("bye"));
  });
  const podPort = await listen(pod);
  const dial = async (port: number) => {
    if (port === 81) throw new BerthError("Unavailable", "nobody listens there");
    const socket = net.connect({ port: podPort, host: "127.0.0.1", allowHalfOpen: true });
    await new Promise((resolve) => socket.once("connect", resolve));
    return socket;
  };
  const accepted = new Promise<net.Socket>((resolve) => {
    server = net.createServer({ allowHalfOpen: true }, resolve);
  });
  client = new TestSpdyClient(net.connect(await listen(server), "127.0.0.1"));
  session = runPortForwardSession({ transport: await accepted, streamCreationTimeoutMs: 200, dial });
});

afterEach(async () => {
  client.transport.destroy();
  await session;
  for (const socket of inPod.splice(0)) socket.destroy();
  server.close();
  pod.close();
});

async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !isSo(); i++) await sleep(5);
  expect(isSo()).toBe(true);
}

async function forward(requestId: string, port: string): Promise<{ data: number; errors: number }> {
  const errors = await client.open({ streamtype: "error", port, requestid: requestId });
  client.send(errors, "", true);
  return { errors, data: await client.open({ streamtype: "data", port, requestid: requestId }) };
}

test("several connections over one, each with half-closes of its own", async () => {
  const all = [await forward("0", "80"), await forward("1", "80")];
  for (const [index, { data }] of all.entries()) client.send(data, `hello ${index}`, index === 0);
  await until(() => client.hasFin(all[0]!.data) && client.received(all[1]!.data).length > 0);
  expect(client.received(all[0]!.data).toString()).toBe("<hello 0>bye");
  expect(client.received(all[1]!.data).toString()).toBe("<hello 1>");
  await until(() => client.hasFin(all[0]!.errors));
  expect(client.received(all[0]!.errors)).toHaveLength(0);
  expect(client.hasFin(all[1]!.data)).toBe(false);
});

test("a port where nobody listens is told on the error stream alone", async () => {
  const { data, errors } = await forward("0", "81");
  await until(() => client.hasFin(errors));
  expect(client.received(errors).toString()).toMatch(/error forwarding port 81: nobody listens there/);
  expect(client.received(data)).toHaveLength(0);
  const good = await forward("1", "80");
  client.send(good.data, "x");
  await until(() => client.received(good.data).toString() === "<x>");
});

test("clients without request IDs open the error stream first", async () => {
  await client.open({ streamtype: "error", port: "80" });
  const data = await client.open({ streamtype: "data", port: "80" });
  client.send(data, "old");
  await until(() => client.received(data).toString() === "<old>");
});

test("a stream without its other, of an unknown kind or with no port is reset", async () => {
  await client.open({ streamtype: "data", port: "80", requestid: "7" });
  await client.open({ streamtype: "video", port: "80", requestid: "8" });
  await client.open({ streamtype: "data", port: "0", requestid: "9" });
  await client.open({ streamtype: "data", port: "99999999", requestid: "10" });
  await until(() => client.controls(ControlType.RST_STREAM).length === 4);
  expect(inPod).toHaveLength(0);
});

test("a client that goes closes the connections in the pod", async () => {
  const { data } = await forward("0", "80");
  client.send(data, "x");
  await until(() => client.received(data).length > 0);
  client.transport.destroy();
  await until(() => inPod[0]!.destroyed || inPod[0]!.readableEnded);
});
