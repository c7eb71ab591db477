import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { codec } from "../../api/messages";
import { identify } from "../../sys/process-identity";
import type { Services } from "../services";
import { Container, type ContainerRecord } from "../store/container";
import { isLost, readExit, recordExit } from "./exit";

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

describe("readExit() of what died of SIGKILL", () => {
  let directory: string;
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-exit-"));
    fs.writeFileSync(path.join(directory, "c1"), "137\n");
  });
  afterEach(() => fs.rmSync(directory, { recursive: true }));

  const reason = (counts: { own?: number; around?: number }, record: Partial<ContainerRecord>, isStopping = false) => {
    const cgroups = { oomKills: () => counts.own, oomKillsAround: () => counts.around };
    const paths = { exits: directory, container: () => directory };
    const ended = Object.assign(container({ id: "c1" as ContainerRecord["id"], ...record }), { isStopping });
    return readExit({ cgroups, paths } as unknown as Services, ended)?.reason;
  };

  test("goes by its own cgroup's count while that is there", () => {
    expect(reason({ own: 1 }, {})).toBe("OOMKilled");
    expect(reason({ own: 0, around: 5 }, { oomKillsBefore: 4 })).toBe("Error");
  });

  test("goes by the monitor's file where the cgroup is gone", () => {
    expect(reason({}, {})).toBe("Error");
    fs.writeFileSync(path.join(directory, "oom"), "");
    expect(reason({}, {})).toBe("OOMKilled");
  });

  test("goes by what the pod's cgroup has counted since the start where there is neither, unless we are ending it", () => {
    expect(reason({ around: 5 }, { oomKillsBefore: 4 })).toBe("OOMKilled");
    expect(reason({ around: 4 }, { oomKillsBefore: 4 })).toBe("Error");
    expect(reason({ around: 5 }, {})).toBe("Error");
    expect(reason({ around: 5 }, { oomKillsBefore: 4 }, true)).toBe("Error");
  });
});
