import { codec } from "../../api/messages";
import { identify } from "../../sys/process-identity";
import type { Services } from "../services";
import { Container, type ContainerRecord } from "../store/container";
import { isLost, recordExit } from "./exit";

const services = {
  store: {
    noteContainer(container: Container, change: Partial<ContainerRecord>) {
      container.record = { ...container.record, ...change };
    },
  },
  events: { containerStopped: () => {} },
  cgroups: { kill: async () => {}, removeOwn: () => {} },
  runtimes: { get: () => ({ deleteEnded: async () => {} }) },
} as unknown as Services;

const container = (record: Partial<ContainerRecord>) =>
  new Container({ config: codec("ContainerConfig").encode({}).toString("base64"), ...record } as ContainerRecord);

test("recordExit() keeps the first end, and none before the start when the host's clock was set back", async () => {
  const ended = container({ createdAtNs: "1000", startedAtNs: "2000" });
  await recordExit(services, ended, { code: 3, reason: "Error", message: "", finishedAtNs: "1500" });
  await recordExit(services, ended, { code: 255, reason: "Unknown", message: "", finishedAtNs: "9000" });
  expect(ended.record.exit).toEqual({ code: 3, reason: "Error", message: "", finishedAtNs: "2000" });
});

test("recordExit() leaves the runtime its files until it has done with the start", async () => {
  const order: string[] = [];
  const deleting = { ...services, runtimes: { get: () => ({ deleteEnded: async () => order.push("deleted") }) } };
  const ended = container({ createdAtNs: "1000" });
  const started = new Promise<void>((resolve) => setTimeout(resolve, 20)).then(() => void order.push("started"));
  ended.starting = { ended: started, giveUp: () => void order.push("given up") };
  await recordExit(deleting as unknown as Services, ended, { code: 0, reason: "", message: "", finishedAtNs: "1500" });
  expect(order).toEqual(["started", "deleted"]);
});

test("isLost() is true only when neither the process nor its monitor lives", () => {
  const alive = identify(process.pid);
  const gone = { pid: process.pid, startTime: "0" };
  expect(isLost(container({ process: gone, monitor: gone }))).toBe(true);
  expect(isLost(container({ process: alive, monitor: gone }))).toBe(false);
  expect(isLost(container({ process: gone, monitor: alive }))).toBe(false);
});
