import fs from "node:fs";
import {
  type Daemon,
  type DaemonSource,
  environment,
  layOut,
  remove,
  start,
  stop,
} from "../../hack/support/daemon.cjs";
import { powerOff } from "../../hack/support/machine.cjs";
import { temporaryDirectory } from "./unique";

export interface TestDaemon extends Daemon {
  start(): Promise<void>;
  /** Ends the daemon alone, by SIGKILL after `graceMs` (10 s); pods go on. start() brings it back. */
  stop(graceMs?: number): Promise<void>;
  /** Kills the daemon as a crash would. */
  kill(): Promise<void>;
  /** Waits for its end, which something else has brought about. */
  died(): Promise<void>;
  /** Kills it as a power cut would, with all that runs in its pods. The state is emptied, unless it lies on a disk. */
  reboot(options?: { stateOnDisk: boolean }): Promise<void>;
  readLog(): string;
  /** The addresses that are taken in its subnet. */
  allocatedAddresses(): string[];
  /** Stops it and takes away all that it made, whatever state a failed test left it in. */
  remove(): Promise<void>;
}

export { environment };

/** A daemon in a directory of its own, with its own bridge and subnet. It does not run yet. */
export function testDaemon(source: DaemonSource = {}): TestDaemon {
  const daemon = layOut(temporaryDirectory(), source) as TestDaemon;
  const died = async () => {
    const { child } = daemon;
    if (child && child.exitCode === null && child.signalCode === null)
      await new Promise((resolve) => child.once("exit", resolve));
    daemon.child = undefined;
  };
  const kill = () => {
    daemon.child?.kill("SIGKILL");
    return died();
  };
  return Object.assign(daemon, {
    start: () => start(daemon),
    stop: (graceMs?: number) => stop(daemon, graceMs),
    kill,
    died,
    async reboot({ stateOnDisk = false } = {}) {
      await kill();
      await powerOff(daemon);
      if (!stateOnDisk) fs.rmSync(daemon.state, { recursive: true, force: true });
    },
    readLog: () => (fs.existsSync(daemon.log) ? fs.readFileSync(daemon.log, "utf8") : ""),
    allocatedAddresses() {
      const directory = `${daemon.ipamDir}/${daemon.network}`;
      if (!fs.existsSync(directory)) return [];
      return fs.readdirSync(directory).filter((name) => /^[0-9]/.test(name));
    },
    remove: () => remove(daemon),
  });
}

/** A daemon that runs. */
export async function startDaemon(source: DaemonSource = {}): Promise<TestDaemon> {
  const daemon = testDaemon(source);
  try {
    await daemon.start();
  } catch (error) {
    await daemon.remove();
    throw error;
  }
  return daemon;
}
