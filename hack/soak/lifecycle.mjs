// The life of one pod, from RunPodSandbox to RemovePodSandbox, with now and then what else a node asks for. What happens
// follows from the number of the life alone, so a run can be repeated.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { Writable } from "node:stream";
import { freePort } from "../support/registry.cjs";

const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() });

/** What is done besides, to how many lives it is done once. Numbers without common divisors, so that all meet. */
const EVERY = {
  execSync: 3,
  stats: 4,
  logReopen: 7,
  sharedPids: 9,
  failedCreate: 11,
  exec: 13,
  attach: 17,
  hostPort: 19,
  subscriber: 23,
  pull: 25,
  exit: 29,
};

async function subscribe(client) {
  const end = new AbortController();
  let seen = 0;
  const reading = (async () => {
    for await (const _event of client.stream("GetContainerEvents", {}, end.signal)) seen++;
  })();
  return {
    async end() {
      end.abort();
      await reading;
      assert(seen > 0, "a subscriber saw no event");
    },
  };
}

async function stats(client, podSandboxId, containerId) {
  await client.runtime("ContainerStats", { containerId });
  await client.runtime("PodSandboxStats", { podSandboxId });
  await client.runtime("ListContainerStats", {});
  await client.runtime("ListPodSandboxStats", {});
  await client.runtime("ListPodSandboxMetrics", {});
}

/** Comes to see, reads what there is and goes, as `kubectl attach` that is broken off. */
async function attach(client, containerId) {
  const { url } = await client.runtime("Attach", { containerId, stdout: true, stderr: true });
  const socket = new WebSocket(url.replace(/^http/, "ws"), "v5.channel.k8s.io");
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve, { once: true }));
  await new Promise((resolve, reject) => {
    socket.addEventListener("message", resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error("attach: the stream failed")), { once: true });
  });
  socket.close();
  await closed;
}

/**
 * Lives one life. Throws where an answer is not what it has to be.
 * @param number of the life
 * @param soak { client, runExec, directory, cgroup, image, extraImage: (number) => reference }
 */
export async function live(number, soak) {
  const { client, runExec, directory, cgroup, image } = soak;
  const does = (what) => number % EVERY[what] === 0;
  const name = `soak-${number}`;
  const logDirectory = path.join(directory, "logs", name);
  const podConfig = {
    metadata: { name, namespace: "soak", uid: name },
    logDirectory,
    linux: { cgroupParent: cgroup },
  };
  if (does("sharedPids")) podConfig.linux.securityContext = { namespaceOptions: { pid: 0 } };
  if (does("hostPort")) podConfig.portMappings = [{ containerPort: 80, hostPort: await freePort() }];

  const subscriber = does("subscriber") ? await subscribe(client) : undefined;
  const extra = does("pull") ? soak.extraImage(number) : undefined;
  if (extra) await client.image("PullImage", { image: { image: extra } });

  const { podSandboxId } = await client.runtime("RunPodSandbox", { config: podConfig });
  // the loop talks to whoever attaches
  const script = does("exit") ? "exit 3" : "while true; do echo tick; sleep 0.2; done";
  const config = {
    metadata: { name: "main" },
    image: { image: extra ?? image },
    command: ["sh", "-c", script],
    logPath: "main.log",
    linux: {},
  };
  const create = (over) => client.runtime("CreateContainer", { podSandboxId, config: { ...config, ...over } });
  if (does("failedCreate"))
    await assert.rejects(create({ metadata: { name: "absent" }, command: ["/no/such/program"] }));
  const { containerId } = await create({});
  await client.runtime("StartContainer", { containerId });

  if (!does("exit")) {
    if (does("execSync")) {
      const { exitCode } = await client.runtime("ExecSync", { containerId, cmd: ["sh", "-c", "exit 5"], timeout: 30n });
      assert.equal(exitCode, 5);
    }
    if (does("exec")) {
      const { url } = await client.runtime("Exec", { containerId, cmd: ["sh", "-c", "exit 7"], stdout: true });
      assert.equal(await runExec(url, { stdout: nowhere(), stderr: nowhere() }), 7);
    }
    if (does("attach")) await attach(client, containerId);
    if (does("stats")) await stats(client, podSandboxId, containerId);
    if (does("logReopen")) {
      const log = path.join(logDirectory, "main.log");
      fs.renameSync(log, `${log}.1`);
      await client.runtime("ReopenContainerLog", { containerId });
      assert(fs.existsSync(log), "no log after it was reopened");
    }
  }
  // one that ends by itself is let; process 1 without a handler hears no SIGTERM
  await client.runtime("StopContainer", { containerId, timeout: does("exit") ? 30n : 0n });
  const { status } = await client.runtime("ContainerStatus", { containerId });
  assert.equal(status.exitCode, does("exit") ? 3 : 137);
  await client.runtime("RemoveContainer", { containerId });
  await client.runtime("StopPodSandbox", { podSandboxId });
  await client.runtime("RemovePodSandbox", { podSandboxId });
  if (extra) await client.image("RemoveImage", { image: { image: extra } });
  await subscriber?.end();
  fs.rmSync(logDirectory, { recursive: true, force: true });
}
