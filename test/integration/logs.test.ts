import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { ContainerState } from "../../api/messages";
import { Client } from "../../cri/client/client";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { countTaskStates } from "../../sys/task-states";
import { eventually, podCalls } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";
import { uniqueId } from "../support/unique";

/** Container logs whose directory or disk lets them down. */
let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;
let image = "";

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  daemon = await startDaemon({ registry: registry.url });
  client = new Client(daemon.socket);
  await client.image("PullImage", { image: { image } });
}, 60_000);

afterEach(() => removePods());

afterAll(async () => {
  client?.close();
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

const { runPod, runContainer, createContainer, statusOf, stop, inside, exited, removePods, processesOf } = podCalls(
  () => ({ client, daemon, image }),
);

const newDirectory = () => path.join(daemon.directory, "logs", uniqueId());
/** Prints numbered lines until it is killed. */
const counting = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; done"];
const linesTo = (last: number) => ["sh", "-c", `i=0; while [ $i -lt ${last} ]; do i=$((i+1)); echo line $i; done`];
const reopen = (containerId: string) => client.runtime("ReopenContainerLog", { containerId });

/** The numbers of the lines that are in log files, in their order; a line may lie there in parts (P), with its end (F). */
function numbersIn(files: string[]): number[] {
  const text = files.map((file) => fs.readFileSync(file, "utf8")).join("");
  const whole = text.replace(/^\S+ stdout P (.*)\n/gm, "$1").replace(/^(.*?)\d{4}-\S+ stdout F /gm, "$1");
  return [...whole.matchAll(/^line (\d+)$/gm)].map(([, number]) => Number(number));
}
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test("a log directory that is missing is made, for the pod and for the container", async () => {
  const logDirectory = newDirectory();
  const pod = await runPod({ logDirectory });
  expect(fs.statSync(logDirectory).isDirectory()).toBe(true);
  fs.rmSync(logDirectory, { recursive: true });
  const id = await runContainer(pod, { command: linesTo(3), logPath: "in/0.log" });
  await exited(id);
  expect(numbersIn([path.join(logDirectory, "in/0.log")])).toEqual(upTo(3));
});

test("a log directory that cannot be made fails the request and leaves nothing", async () => {
  const file = newDirectory();
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, "");
  const refused = { code: "InvalidArgument", message: expect.stringContaining(file) };
  await expect(runPod({ logDirectory: path.join(file, "below") })).rejects.toMatchObject(refused);
  const pod = await runPod({ logDirectory: path.dirname(file) });
  const logPath = `${path.basename(file)}/0.log`;
  await expect(createContainer(pod, { logPath })).rejects.toMatchObject(refused);
  expect(fs.readdirSync(path.join(daemon.state, "containers"))).toEqual([]);
  expect((await client.runtime("ListPodSandbox", {})).items).toHaveLength(1);
});

test("a log directory that is removed under a container hurts it not; once it is there again, the log is reopened", async () => {
  const logDirectory = newDirectory();
  const id = await runContainer(await runPod({ logDirectory }), { command: counting, logPath: "0.log" });
  fs.rmSync(logDirectory, { recursive: true });
  const before = await progressOf(id);
  expect(
    await eventually(
      () => progressOf(id),
      (now) => now > before,
    ),
  ).toBeGreaterThan(before);
  await expect(reopen(id)).rejects.toMatchObject({ code: "InvalidArgument" });
  expect(await inside(id, "echo alive")).toBe("alive");
  fs.mkdirSync(logDirectory);
  await reopen(id);
  const log = path.join(logDirectory, "0.log");
  expect(
    await eventually(
      () => numbersIn([log]).length,
      (count) => count > 10,
    ),
  ).toBeGreaterThan(10);
  await stop(id, 0);
  expect(await statusOf(id)).toMatchObject({ state: ContainerState.CONTAINER_EXITED, exitCode: 137 });
});

/** How much a container's first process has written so far, in bytes. */
async function progressOf(id: string): Promise<number> {
  const { pid } = await processesOf(id);
  return Number(/^wchar: (\d+)/m.exec(fs.readFileSync(`/proc/${pid}/io`, "utf8"))![1]);
}

test("rotated under load, and reopened without being rotated, it has every line once and in order", async () => {
  const logDirectory = newDirectory();
  const last = 200_000;
  const id = await runContainer(await runPod({ logDirectory }), { command: linesTo(last), logPath: "0.log" });
  const log = path.join(logDirectory, "0.log");
  const rotated: string[] = [];
  while ((await statusOf(id)).state === ContainerState.CONTAINER_RUNNING) {
    if (rotated.length % 2 === 0) await reopen(id).catch(expectEnded);
    const old = `${log}.${rotated.length}`;
    fs.renameSync(log, old);
    rotated.push(old);
    await reopen(id).catch(expectEnded);
    if (!fs.existsSync(log)) break;
  }
  await exited(id);
  expect(rotated.length).toBeGreaterThan(5);
  expect(numbersIn([...rotated, ...(fs.existsSync(log) ? [log] : [])])).toEqual(upTo(last));
}, 120_000);

const expectEnded = (error: { code?: string }) => expect(error.code).toBe("FailedPrecondition");

describe("on a disk that stalls", () => {
  let disk = "";
  let frozen = false;

  beforeAll(() => {
    disk = path.join(daemon.directory, "disk");
    fs.mkdirSync(disk);
    const file = path.join(daemon.directory, "disk.img");
    fs.writeFileSync(file, "");
    fs.truncateSync(file, 64 << 20);
    execFileSync("mkfs.ext4", ["-q", "-F", file]);
    execFileSync("mount", ["-o", "loop", file, disk]);
  });

  const freeze = () => {
    execFileSync("fsfreeze", ["--freeze", disk]);
    frozen = true;
  };
  const thaw = () => {
    if (frozen) execFileSync("fsfreeze", ["--unfreeze", disk]);
    frozen = false;
  };
  afterEach(thaw);
  afterAll(() => {
    thaw();
    execFileSync("umount", [disk]);
  });

  test("no other call waits; what needs the disk fails in time, and the log has all lines once the disk is back", async () => {
    const logDirectory = path.join(disk, uniqueId());
    const [pod, other] = [await runPod({ logDirectory }), await runPod()];
    const [printing, stopping] = [
      await runContainer(pod, { command: counting, logPath: "0.log" }),
      await runContainer(pod, { command: counting, logPath: "1.log" }),
    ];
    const log = path.join(logDirectory, "0.log");
    await eventually(
      () => numbersIn([log]).length,
      (count) => count > 100,
    );
    fs.renameSync(log, `${log}.1`);
    freeze();
    const stuck = async (id: string) => countTaskStates([(await processesOf(id)).monitorPid]).uninterruptible > 0;
    for (const id of [printing, stopping]) expect(await eventually(() => stuck(id), Boolean)).toBe(true);

    const waiting = [
      reopen(printing),
      stop(stopping, 0),
      ...Array.from({ length: 6 }, () => runPod({ logDirectory: path.join(disk, uniqueId()) })),
      ...Array.from({ length: 6 }, () => createContainer(pod, { logPath: `${uniqueId()}/0.log` })),
    ].map((call) => call.then(String, ({ code, message }) => `${code}: ${message}`));
    const first = Promise.race(waiting);
    const beside = async () => {
      expect(await inside(await runContainer(other), "echo free")).toBe("free");
      expect(await inside(printing, "echo alive")).toBe("alive");
      expect((await statusOf(printing)).state).toBe(ContainerState.CONTAINER_RUNNING);
      for (const method of ["ListContainers", "ListContainerStats", "ListPodSandboxMetrics"] as const)
        await client.runtime(method, {});
      await client.image("PullImage", { image: { image } });
      return "all else";
    };
    // before the first of those that need the disk has given up
    expect(await Promise.race([first, beside()])).toBe("all else");

    const [reopened, stopped, ...others] = await Promise.all(waiting);
    expect(reopened).toMatch(/^DeadlineExceeded: .*did not reopen/);
    expect(stopped).toMatch(/^DeadlineExceeded: .*its monitor does not tell/);
    for (const outcome of others) expect(outcome).toMatch(/^DeadlineExceeded: .*its disk has not answered/);
    thaw();
    // as the kubelet does where a log was not reopened
    fs.renameSync(`${log}.1`, log);
    await reopen(printing);
    await stop(stopping, 0);
    await runContainer(pod, { logPath: "2.log" });
    await stop(printing, 0);
    for (const id of [printing, stopping]) expect(await statusOf(id)).toMatchObject({ exitCode: 137 });
    const numbers = numbersIn([log]);
    expect(numbers).toEqual(upTo(numbers.length));
    expect(numbers.length).toBeGreaterThan(100);
  }, 120_000);
});
