import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { testCertificate } from "../../images/test-certificate";
import { Crictl } from "../support/crictl";
import { environment, startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";
import { freePort, temporaryDirectory } from "../support/unique";

/** The real crictl against a streaming server with a certificate. */
let registry: TestRegistry;
let daemon: TestDaemon;
let crictl: Crictl;
let directory = "";
let container = "";
let pod = "";
const children: ChildProcessWithoutNullStreams[] = [];

beforeAll(async () => {
  directory = temporaryDirectory();
  const files = { cert: path.join(directory, "cert.pem"), key: path.join(directory, "key.pem") };
  fs.writeFileSync(files.cert, testCertificate.cert);
  fs.writeFileSync(files.key, testCertificate.key);
  registry = await testRegistry();
  const image = await registry.push("test/busybox", busyboxImage());
  const streaming = { tls_cert_file: files.cert, tls_key_file: files.key };
  daemon = await startDaemon({ registry: registry.url, options: { streaming } });
  crictl = new Crictl(daemon);
  await crictl.run("pull", image);
  const podFile = crictl.file("pod.json", { metadata: { name: "pod", namespace: "default", uid: "uid" }, linux: {} });
  pod = await crictl.run("runp", podFile);
  const command = ["sh", "-c", "while read line; do echo got $line; done"];
  const config = { metadata: { name: "c" }, image: { image }, command, stdin: true, linux: {} };
  container = await crictl.run("create", "--no-pull", pod, crictl.file("c.json", config), podFile);
  await crictl.run("start", container);
}, 60_000);

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

afterAll(async () => {
  await daemon?.remove();
  await registry?.stop();
  if (directory) fs.rmSync(directory, { recursive: true });
}, 60_000);

function start(verb: string, ...args: string[]) {
  const crictlFile = path.join(__dirname, "../../build/tools/crictl");
  const own = ["--config", path.join(daemon.directory, "crictl.yaml"), "--runtime-endpoint", daemon.endpoint];
  const child = spawn(crictlFile, [...own, verb, ...args], { env: environment() });
  children.push(child);
  const output = { text: "" };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output.text += chunk;
    });
  }
  return {
    child,
    output,
    status: new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1))),
  };
}

async function said(output: { text: string }, text: string): Promise<void> {
  for (let i = 0; i < 400 && !output.text.includes(text); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  expect(output.text).toContain(text);
}

describe.each(["spdy", "websocket"])("over %s", (transport) => {
  // crictl wants a certificate of its own as well, for which nobody asks
  const trusting = () => {
    const [cert, key] = ["cert.pem", "key.pem"].map((name) => path.join(directory, name)) as [string, string];
    return ["--transport", transport, "--tls-ca", cert, "--tls-cert", cert, "--tls-key", key];
  };

  test("exec carries a megabyte in and out, and the exit code", async () => {
    const { child, output, status } = start("exec", ...trusting(), "-i", container, "sh", "-c", "wc -c; exit 7");
    child.stdin.end(Buffer.alloc(1 << 20, "x"));
    expect(await status).not.toBe(0);
    expect(output.text).toContain("1048576");
    expect(output.text).toContain("exit code 7");
  });

  test("attach has what goes in and comes out", async () => {
    const { child, output } = start("attach", ...trusting(), "-i", container);
    child.stdin.write(`over-${transport}\n`);
    await said(output, `got over-${transport}`);
  });

  test("port-forward reaches the pod", async () => {
    await crictl.run(
      "exec",
      "-s",
      container,
      "sh",
      "-c",
      "(echo answer | nc -l -p 8080 > /dev/null) > /dev/null 2>&1 &",
    );
    const local = await freePort();
    const { output } = start("port-forward", ...trusting(), pod, `${local}:8080`);
    await said(output, "Forwarding from");
    const answer = await new Promise<string>((resolve, reject) => {
      let text = "";
      const socket = net.connect(local, "127.0.0.1");
      socket.on("error", reject).on("data", (chunk) => {
        text += chunk;
        socket.end();
        resolve(text);
      });
    });
    expect(answer).toBe("answer\n");
  });
});
