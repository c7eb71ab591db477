import http from "node:http";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { BerthError } from "../../api/errors";
import { runPortChannels } from "./port-channels";
import { acceptWebSocket } from "./websocket/accept";
import { channelProtocols } from "./websocket/channel-protocols";

test("each port has a data and an error channel that begin with its number", async () => {
  const pod = net.createServer((socket) => socket.on("data", (chunk) => socket.end(`<${chunk}>`)));
  const server = http.createServer();
  const listen = (each: net.Server) =>
    new Promise<number>((resolve) =>
      each.listen(0, "127.0.0.1", () => resolve((each.address() as net.AddressInfo).port)),
    );
  const podPort = await listen(pod);
  const port = await listen(server);
  const session = new Promise<void>((resolve) => {
    server.once("upgrade", async (request, raw, head) => {
      const protocol = channelProtocols.find(({ name }) => name === "v4.channel.k8s.io")!;
      const socket = await acceptWebSocket({ request, socket: raw, head }, protocol.name);
      runPortChannels(socket, { protocol, ports: [80, 8081] }, async (wanted) => {
        if (wanted === 8081) throw new BerthError("Unavailable", "nobody there");
        return net.connect({ port: podPort, host: "127.0.0.1", allowHalfOpen: true });
      }).then(resolve);
    });
  });
  const client = new WebSocket(`ws://127.0.0.1:${port}`, ["v4.channel.k8s.io"]);
  const got = new Map<number, Buffer>();
  client.on("message", (message: Buffer) => {
    got.set(message[0]!, Buffer.concat([got.get(message[0]!) ?? Buffer.alloc(0), message.subarray(1)]));
  });
  await new Promise((resolve) => client.once("open", resolve));
  client.send(Buffer.concat([Buffer.from([0]), Buffer.from("hi")]));
  const isThere = () => (got.get(0)?.length ?? 0) >= 6 && (got.get(3)?.length ?? 0) > 2;
  for (let i = 0; i < 400 && !isThere(); i++) await sleep(5);
  expect(got.get(0)!.readUInt16LE(0)).toBe(80);
  expect(got.get(0)!.toString("latin1", 2)).toBe("<hi>");
  expect(got.get(1)).toEqual(Buffer.from([80, 0]));
  expect(got.get(3)!.readUInt16LE(0)).toBe(8081);
  expect(got.get(3)!.toString("latin1", 2)).toMatch(/port 8081: nobody there/);
  client.terminate();
  await session;
  server.close();
  pod.close();
});
