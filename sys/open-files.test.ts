import net from "node:net";
import { expect, test } from "@jest/globals";
import { countOpenFiles, openFilesLimit } from "./open-files";

test("countOpenFiles() counts descriptors and the sockets among them; a process that is gone has none", async () => {
  const before = countOpenFiles([process.pid]);
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const after = countOpenFiles([process.pid]);
  server.close();
  expect(after.sockets).toBe(before.sockets + 1);
  expect(after.descriptors).toBeGreaterThan(after.sockets);
  expect(countOpenFiles([2 ** 22 + 1])).toEqual({ descriptors: 0, sockets: 0 });
});

test("openFilesLimit() is the soft limit", () => {
  expect(openFilesLimit(process.pid)).toBeGreaterThan(0n);
  expect(openFilesLimit(2 ** 22 + 1)).toBeUndefined();
});
