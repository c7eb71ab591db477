import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { temporaryDirectory } from "../support/unique";
import { eventually } from "./support/eventually";
import { batch } from "./support/kubernetes";
import { idle, Namespace, shell, statusOf } from "./support/namespace";

let namespace: Namespace;
/** Of the node, for what must outlast a pod. */
let directory: string;
beforeAll(async () => {
  namespace = await Namespace.create("lifecycle");
  directory = temporaryDirectory();
  fs.chmodSync(directory, 0o777);
});
afterAll(async () => {
  await namespace.remove();
  fs.rmSync(directory, { recursive: true, force: true });
});

const notes = (file: string) => {
  fs.writeFileSync(`${directory}/${file}`, "");
  const volumes = [{ name: "notes", hostPath: { path: `${directory}/${file}` } }];
  const volumeMounts = [{ name: "notes", mountPath: "/notes" }];
  return { volumes, volumeMounts, read: () => fs.readFileSync(`${directory}/${file}`, "utf8").trim().split("\n") };
};

test("init containers run one after the other before the others start", async () => {
  const { volumes, volumeMounts, read } = notes("init");
  const step = (name: string) =>
    shell(`echo ${name} begins >>/notes; sleep 1; echo ${name} ends >>/notes`, { name, volumeMounts });
  await namespace.outputOf("init", {
    volumes,
    initContainers: [step("first"), step("second")],
    containers: [shell("echo main >>/notes", { volumeMounts })],
  });
  expect(read()).toEqual(["first begins", "first ends", "second begins", "second ends", "main"]);
});

test("an init container that fails is tried again, and the pod waits for it", async () => {
  const { volumes, volumeMounts, read } = notes("retry");
  await namespace.pod("retry", {
    restartPolicy: "Always",
    volumes,
    initContainers: [shell('echo try >>/notes; [ "$(wc -l </notes)" -ge 2 ]', { name: "init", volumeMounts })],
    containers: [idle()],
  });
  const pod = await namespace.ready("retry");
  expect(statusOf(pod, "init")?.restartCount).toBe(1);
  expect(read()).toEqual(["try", "try"]);
});

test("a sidecar starts before the Job's container, serves it, and ends after it", async () => {
  const { volumes, volumeMounts, read } = notes("sidecar");
  const sidecar = shell(
    'echo sidecar begins >>/notes; httpd -p 8080 -h /etc; trap "echo sidecar ends >>/notes; exit" TERM; while :; do sleep 1 & wait $!; done',
    {
      name: "sidecar",
      restartPolicy: "Always",
      volumeMounts,
      startupProbe: { httpGet: { path: "/version", port: 8080 }, periodSeconds: 1, failureThreshold: 60 },
    },
  );
  const main = shell("wget -qO- http://127.0.0.1:8080/version && echo main ends >>/notes", { volumeMounts });
  const spec = {
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 10,
    volumes,
    initContainers: [sidecar],
    containers: [main],
  };
  await namespace.create({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "sidecar" },
    spec: { backoffLimit: 0, template: { spec } },
  });
  await eventually(
    "the Job completes",
    () => batch.readNamespacedJob({ name: "sidecar", namespace: namespace.name }),
    ({ status }) => status?.succeeded === 1,
  );
  expect(read()).toEqual(["sidecar begins", "main ends", "sidecar ends"]);
});

test("postStart runs beside the start and preStop before the stop signal", async () => {
  const { volumes, volumeMounts, read } = notes("hooks");
  const exec = (script: string) => ({ exec: { command: ["sh", "-c", script] } });
  await namespace.readyPod("hooks", {
    terminationGracePeriodSeconds: 30,
    volumes,
    containers: [
      shell('trap "echo TERM >>/notes; exit" TERM; while :; do sleep 1 & wait $!; done', {
        volumeMounts,
        lifecycle: { postStart: exec("echo postStart >>/notes"), preStop: exec("echo preStop >>/notes; sleep 1") },
      }),
    ],
  });
  expect(read()).toEqual(["postStart"]);
  await namespace.delete("hooks");
  expect(read()).toEqual(["postStart", "preStop", "TERM"]);
});

test("a postStart that fails ends the container, and the event has its output", async () => {
  await namespace.pod("bad-hook", {
    containers: [idle({ lifecycle: { postStart: { exec: { command: ["sh", "-c", "echo broken; exit 4"] } } } })],
  });
  await namespace.ended("bad-hook");
  const events = await eventually(
    "the event",
    () => namespace.events("bad-hook"),
    (all) => all.some((one) => one.startsWith("FailedPostStartHook")),
  );
  expect(events.join("\n")).toMatch(/FailedPostStartHook: .*PostStartHook failed/);
});

test("a container that ends is started again, each time after a longer wait", async () => {
  await namespace.pod("crash", { restartPolicy: "Always", containers: [shell("echo run; exit 7")] });
  const pod = await namespace.until("crash", "backs off after its third run", (one) => {
    const status = statusOf(one);
    return (status?.restartCount ?? 0) >= 2 && status?.state?.waiting?.reason === "CrashLoopBackOff";
  });
  expect(statusOf(pod)?.lastState?.terminated).toMatchObject({ exitCode: 7, reason: "Error" });
  // it may just be running again, and the one before be gone
  const previous = () => namespace.log("crash", "--previous");
  await eventually("the log of the run before", previous, (text) => text === "run\n");
  expect((await namespace.events("crash")).join("\n")).toMatch(/BackOff: Back-off restarting failed container/);
});

test("a container's last words come from its file, or from its log where it failed without", async () => {
  await namespace.pod("words", { containers: [shell("printf 'from the file' >/dev/termination-log")] });
  await namespace.pod("log-words", {
    containers: [shell("echo from the log; exit 1", { terminationMessagePolicy: "FallbackToLogsOnError" })],
  });
  const message = async (name: string) => statusOf(await namespace.ended(name))?.state?.terminated?.message;
  expect(await message("words")).toBe("from the file");
  expect(await message("log-words")).toBe("from the log\n");
});

test("a container that does not hear the stop signal is killed after its grace period", async () => {
  const { volumes, volumeMounts, read } = notes("grace");
  await namespace.readyPod("deaf", {
    terminationGracePeriodSeconds: 3,
    volumes,
    containers: [
      shell('trap "date +%s >>/notes" TERM; while :; do sleep 1 & wait $!; date +%s >/notes-last; done', {
        volumeMounts,
      }),
    ],
  });
  const before = Date.now();
  await namespace.delete("deaf");
  expect(read()).toHaveLength(1); // it was asked, once
  expect(Date.now() - before).toBeGreaterThanOrEqual(2500);
});

test("a pod past its deadline is ended", async () => {
  await namespace.pod("late", { activeDeadlineSeconds: 3, containers: [idle()] });
  const pod = await namespace.ended("late");
  expect(pod.status).toMatchObject({ phase: "Failed", reason: "DeadlineExceeded" });
});
