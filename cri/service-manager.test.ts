import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DatagramReceiver } from "../sys/datagram-receiver.fixture";
import { feedWatchdog, ServiceManager } from "./service-manager";

describe("ServiceManager", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-manager-"));
  let receiver: DatagramReceiver;
  beforeEach(() => {
    receiver = new DatagramReceiver(path.join(directory, "notify"));
  });
  afterEach(() => receiver.close());
  afterAll(() => fs.rmSync(directory, { recursive: true }));

  const parts = { selfCheck: async () => {}, report: () => {} };

  test("tells of the start and the end, and keeps systemd's variables from children", () => {
    const environment = { PATH: "/bin", NOTIFY_SOCKET: receiver.name, WATCHDOG_USEC: "60000000", WATCHDOG_PID: "1" };
    const manager = new ServiceManager(environment, parts);
    expect(environment).toEqual({ PATH: "/bin" });
    expect(receiver.take()).toBeUndefined();
    manager.ready("serves the CRI on /run/berth/berth.sock");
    expect(receiver.take()).toBe("READY=1\nSTATUS=serves the CRI on /run/berth/berth.sock");
    manager.stopping();
    expect(receiver.take()).toMatch(/^STOPPING=1\nSTATUS=/);
  });

  test("feeds the watchdog that is its own until it stops", async () => {
    const environment = { NOTIFY_SOCKET: receiver.name, WATCHDOG_USEC: "30000", WATCHDOG_PID: String(process.pid) };
    const manager = new ServiceManager(environment, parts);
    manager.ready("ready");
    receiver.take();
    let fed: string | undefined;
    for (let tries = 0; fed === undefined && tries < 200; tries++) {
      await sleep(10);
      fed = receiver.take();
    }
    expect(fed).toBe("WATCHDOG=1");
    manager.stopping();
    while (!receiver.take()?.startsWith("STOPPING=1")); // what was fed meanwhile
    await sleep(50);
    expect(receiver.take()).toBeUndefined();
  });

  test("reports where the manager does not listen, and goes on", () => {
    const reports: string[] = [];
    const report = (message: string) => reports.push(message);
    const manager = new ServiceManager({ NOTIFY_SOCKET: path.join(directory, "gone") }, { ...parts, report });
    manager.ready("ready");
    expect(reports).toEqual([expect.stringMatching(/can't be told: sendto .*ENOENT/)]);
  });

  test("does nothing without a manager", () => {
    const manager = new ServiceManager({}, parts);
    manager.ready("ready");
    manager.stopping();
    expect(receiver.take()).toBeUndefined();
  });
});

test("feedWatchdog() feeds nothing while the self-check fails, and again once it succeeds", async () => {
  const seen: string[] = [];
  let checks = 0;
  const stop = feedWatchdog(15, {
    notify: (assignments) => seen.push(JSON.stringify(assignments)),
    report: (message) => seen.push(message),
    selfCheck: async (timeoutMs) => {
      expect(timeoutMs).toBe(5);
      if (++checks < 3) throw new Error("no answer");
    },
  });
  while (seen.length < 3) await sleep(5);
  stop();
  expect(seen.slice(0, 3)).toEqual([
    "the self-check failed: no answer",
    "the self-check failed: no answer",
    '{"WATCHDOG":"1"}',
  ]);
});
