import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { DatagramReceiver } from "./datagram-receiver.fixture";
import { errnoOf } from "./libc";
import { NotifySocket } from "./notify-socket";

describe("NotifySocket", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-notify-"));
  afterAll(() => fs.rmSync(directory, { recursive: true }));

  const names = {
    "a path": path.join(directory, "notify"),
    "the abstract namespace": `@berth-test/${randomBytes(8).toString("hex")}`,
  };
  for (const [kind, name] of Object.entries(names)) {
    test(`sends a message each to a socket in ${kind}`, () => {
      const receiver = new DatagramReceiver(name);
      const sender = new NotifySocket(name);
      try {
        sender.send({ READY: "1", STATUS: "serves the CRI" });
        sender.send({ WATCHDOG: "1" });
        expect(receiver.take()).toBe("READY=1\nSTATUS=serves the CRI");
        expect(receiver.take()).toBe("WATCHDOG=1");
        expect(receiver.take()).toBeUndefined();
      } finally {
        sender.close();
        receiver.close();
      }
    });
  }

  test("tells the errno where nobody listens", () => {
    const sender = new NotifySocket(path.join(directory, "nobody"));
    try {
      expect(() => sender.send({ READY: "1" })).toThrow(/sendto .*nobody: ENOENT/);
    } finally {
      sender.close();
    }
  });

  test("does not wait for one who reads nothing", () => {
    const receiver = new DatagramReceiver(path.join(directory, "full"));
    const sender = new NotifySocket(receiver.name);
    let errno: string | undefined;
    try {
      for (let i = 0; i < 10_000; i++) sender.send({ WATCHDOG: "1" });
    } catch (error) {
      errno = errnoOf(error);
    } finally {
      sender.close();
      receiver.close();
    }
    expect(errno).toBe("EAGAIN");
  });

  test.each(["", "notify", "vsock:2:1234", `/${"x".repeat(107)}`])("refuses %p", (name) => {
    expect(() => new NotifySocket(name)).toThrow("is no address of a notification socket");
  });
});
