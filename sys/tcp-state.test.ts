import net from "node:net";
import { expect, test } from "@jest/globals";
import { peerHasClosed } from "./tcp-state";

test("the end of a connection shows though nothing of it is read", async () => {
  const accepted = new Promise<net.Socket>((resolve) => {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
      server.close();
      resolve(socket);
    });
    server.listen(0, "127.0.0.1", () => {
      const client = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
      client.on("error", () => {});
      setTimeout(() => client.end("unread"), 100);
    });
  });
  const socket = await accepted;
  expect(peerHasClosed(socket)).toBe(false);
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(socket.bytesRead).toBe(0);
  expect(peerHasClosed(socket)).toBe(true);
  socket.destroy();
  expect(peerHasClosed(socket)).toBe(false);
});
