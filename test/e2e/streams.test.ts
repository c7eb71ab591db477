import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { freePort, temporaryDirectory } from "../support/unique";
import { eventually } from "./support/eventually";
import { idle, Namespace, shell } from "./support/namespace";

let namespace: Namespace;
let directory: string;
beforeAll(async () => {
  namespace = await Namespace.create("streams");
  directory = temporaryDirectory();
  await namespace.readyPod("main", { containers: [idle()] });
});
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(async () => {
  await namespace.remove();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** kubectl as a process that goes on; `text()` is all that it has written. */
function kubectlProcess(...args: string[]) {
  const child = spawn("kubectl", [`--namespace=${namespace.name}`, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (data) => (text += data));
  return { child, text: () => text };
}

test("exec passes input, both outputs and the exit status", async () => {
  const script = "cat; echo to stderr >&2; exit 5";
  const outcome = await namespace.tryKubectl(["exec", "-i", "main", "--", "sh", "-c", script], "to stdin\n");
  expect(outcome).toMatchObject({ status: 5, stdout: "to stdin\n" });
  expect(outcome.stderr).toMatch(/^to stderr\n/);
  const missing = await namespace.tryKubectl(["exec", "main", "--", "no-such-command"]);
  expect(missing.status).not.toBe(0);
  expect(missing.stderr).toMatch(/no-such-command.*not found|no such file/i);
});

test("exec -it is a terminal of the user's size", async () => {
  // script(1) is the user's terminal.
  const line = `stty rows 33 cols 101; kubectl --namespace=${namespace.name} exec -it main -- sh -c 'tty; sleep 1; stty size; read line; echo got $line'`;
  const child = execFile("script", ["--quiet", "--return", "--command", line, "/dev/null"]);
  children.push(child);
  let text = "";
  child.stdout?.on("data", (data) => (text += data));
  await eventually(
    "the terminal's size is told",
    () => text,
    (all) => /33 101/.test(all),
  );
  child.stdin?.write("hello\r");
  const status = await new Promise((resolve) => child.once("close", resolve));
  expect(text).toMatch(/\/dev\/pts\/\d+/);
  expect(text).toMatch(/got hello/);
  expect(status).toBe(0);
});

test("attach reaches a container's input and output", async () => {
  await namespace.readyPod("attached", {
    containers: [shell("while read line; do echo got $line; done", { stdin: true })],
  });
  const { child, text } = kubectlProcess("attach", "-i", "attached");
  await eventually(
    "it is attached",
    () => {
      child.stdin?.write("one\n");
      return text();
    },
    (all) => all.includes("got one"),
  );
  child.stdin?.write("two\n");
  await eventually("the second line comes back", text, (all) => all.includes("got two"));
  expect(await namespace.log("attached")).toMatch(/got one\n(.*\n)*got two\n/);
});

test("cp carries a tree into a pod and out again", async () => {
  const bytes = randomBytes(8 * 2 ** 20);
  fs.mkdirSync(`${directory}/tree/below`, { recursive: true });
  fs.writeFileSync(`${directory}/tree/below/data`, bytes);
  await namespace.kubectl("cp", `${directory}/tree`, "main:/tmp/tree");
  const [sum] = (await namespace.exec("main", "sha256sum", "/tmp/tree/below/data")).split(" ");
  expect(sum).toBe(createHash("sha256").update(bytes).digest("hex"));
  await namespace.kubectl("cp", "main:/tmp/tree", `${directory}/back`);
  expect(fs.readFileSync(`${directory}/back/below/data`).equals(bytes)).toBe(true);
});

test("logs -f goes on over the rotation of the log, and no line is lost", async () => {
  const lines = 6000; // some 400 KiB, where the kubelet rotates at 64
  const script = `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "line $i of a log that is long enough to be rotated"; [ $((i%100)) -ne 0 ] || sleep 0.3; done; echo end; exec sleep 1000`;
  await namespace.pod("chatty", { containers: [shell(script)] });
  await namespace.until("chatty", "runs", (pod) => pod.status?.phase === "Running");
  const { text } = kubectlProcess("logs", "--follow", "chatty");
  await eventually("the last line has come", text, (all) => /^end$/m.test(all));
  const seen = text()
    .split("\n")
    .filter((line) => line.startsWith("line"))
    .map((line) => Number(line.split(" ")[1]));
  expect(seen).toEqual(Array.from({ length: lines }, (_, n) => n + 1));
  const pod = await namespace.read("chatty");
  const files = fs.readdirSync(`/var/log/pods/${namespace.name}_chatty_${pod.metadata?.uid}/main`);
  expect(files.filter((name) => name.startsWith("0.log")).length).toBeGreaterThan(1);
});

test("logs --tail, --since-time and --timestamps read what conmon wrote", async () => {
  await namespace.outputOf("lines", { containers: [shell("for n in 1 2 3; do echo $n; done; printf unterminated")] });
  expect(await namespace.log("lines", "--tail=2")).toBe("3\nunterminated");
  expect(await namespace.log("lines", "--timestamps")).toMatch(/^\d{4}-\d\d-\d\dT\S+ 1\n/);
});

test("port-forward reaches a port inside the pod, many times", async () => {
  await namespace.readyPod("server", {
    containers: [
      shell("exec httpd -f -p 127.0.0.1:8080 -h /etc", {
        readinessProbe: { exec: { command: ["wget", "-qO-", "http://127.0.0.1:8080/version"] }, periodSeconds: 1 },
      }),
    ],
  });
  const port = await freePort();
  kubectlProcess("port-forward", "pod/server", `${port}:8080`);
  const ask = async () =>
    (await fetch(`http://127.0.0.1:${port}/version`, { headers: { connection: "close" } })).text();
  await eventually("the port answers", ask, (text) => text === "1\n");
  expect(await Promise.all(Array.from({ length: 10 }, ask))).toEqual(Array(10).fill("1\n"));
});
