import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import WebSocket from "ws";
import { Client } from "../../cri/client/client";
import { Crictl } from "../support/crictl";
import { environment, startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";
import { freePort } from "../support/unique";

/** Streams through the real crictl, which speaks SPDY and WebSocket as the kubelet's clients do. */
const CRICTL = path.join(__dirname, "../../build/tools/crictl");
/** So many people, probes and scripts may be in containers of one node at once. */
const SESSIONS = Number(process.env["STREAMING_SESSIONS"] ?? 200);
const transports = ["spdy", "websocket"] as const;

let registry: TestRegistry;
let daemon: TestDaemon;
let crictl: Crictl;
let pod = "";
let container = "";
let image = "";

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage());
  daemon = await startDaemon({ registry: registry.url });
  crictl = new Crictl(daemon);
  await crictl.run("pull", image);
  pod = await runPod("main");
  container = await startedContainer(pod, ["sleep", "100000"]);
}, 60_000);

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

afterAll(async () => {
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

let counter = 0;
async function runPod(name: string, linux: object = {}): Promise<string> {
  return crictl.run(
    "runp",
    crictl.file(`${name}.json`, {
      metadata: { name, namespace: "default", uid: `uid-${name}`, attempt: 0 },
      log_directory: path.join(daemon.directory, "logs", name),
      linux,
    }),
  );
}

async function startedContainer(inPod: string, command: string[], options: object = {}): Promise<string> {
  const name = `c-${++counter}`;
  const config = { metadata: { name }, image: { image }, command, log_path: `${name}.log`, linux: {}, ...options };
  const sandbox = crictl.file("sandbox.json", { metadata: { name: "unused", namespace: "default", uid: "unused" } });
  const id = await crictl.run("create", "--no-pull", inPod, crictl.file(`${name}.json`, config), sandbox);
  await crictl.run("start", id);
  return id;
}

interface Running {
  child: ChildProcess;
  stdout(): Buffer;
  /** How many bytes of it have come so far. */
  received(): number;
  stderr(): string;
  status: Promise<number>;
}

const crictlArgs = () => [
  "--config",
  path.join(daemon.directory, "crictl.yaml"),
  "--runtime-endpoint",
  daemon.endpoint,
];

function run(file: string, args: string[]): Running {
  const child = spawn(file, args, { env: environment(), stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let received = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    out.push(chunk);
    received += chunk.length;
  });
  child.stderr.on("data", (chunk) => err.push(chunk));
  child.stdin.on("error", () => {});
  return {
    child,
    stdout: () => Buffer.concat(out),
    received: () => received,
    stderr: () => Buffer.concat(err).toString(),
    status: new Promise((resolve) => child.once("close", (code) => resolve(code ?? -1))),
  };
}

/** crictl with pipes. */
const start = (...args: string[]) => run(CRICTL, [...crictlArgs(), ...args]);

/** crictl on a terminal of 30 rows and 100 columns; `before` runs on it first. */
function startOnTerminal(args: string[], before = ""): Running {
  const quoted = [CRICTL, ...crictlArgs(), ...args].map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(" ");
  return run("script", ["-qfec", `stty rows 30 cols 100; ${before} exec ${quoted}`, "/dev/null"]);
}

async function eventually<T>(look: () => Promise<T> | T, isGood: (value: T) => boolean, tries = 200): Promise<T> {
  for (let i = 0; ; i++) {
    const value = await look();
    if (isGood(value) || i >= tries) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
/** What each open descriptor of the daemon is; what it is connected to by number is left out. */
const daemonFiles = () => {
  const directory = `/proc/${daemon.child!.pid}/fd`;
  return fs
    .readdirSync(directory)
    .map((fd) => {
      try {
        return `${fd} ${fs.readlinkSync(path.join(directory, fd))}`;
      } catch {
        return "";
      }
    })
    .filter(Boolean);
};
const daemonFds = () => daemonFiles().length;
const daemonMemory = () =>
  Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${daemon.child!.pid}/status`, "utf8"))![1]) * 1024;

describe.each(transports)("exec over %s", (transport) => {
  const exec = (...args: string[]) => start("exec", "--transport", transport, ...args);

  test("input, output, error output and the exit code each go their way", async () => {
    const running = exec("-i", container, "sh", "-c", "cat; echo oops >&2; exit 7");
    running.child.stdin!.end("hello\n");
    expect(await running.status).toBe(1);
    expect(running.stdout().toString()).toBe("hello\n");
    expect(running.stderr()).toContain("oops\n");
    expect(running.stderr()).toContain("exit code 7");
  });

  test("a command without input ends by itself", async () => {
    const running = exec(container, "echo", "alone");
    expect(await running.status).toBe(0);
    expect(running.stdout().toString()).toBe("alone\n");
  });

  test("32 MiB go in and come back byte for byte", async () => {
    const bytes = randomBytes(32 << 20);
    const running = exec("-i", container, "cat");
    running.child.stdin!.end(bytes);
    expect(await running.status).toBe(0);
    expect(sha256(running.stdout())).toBe(sha256(bytes));
  }, 60_000);

  test("a command that does not exist is an error that says so", async () => {
    const running = exec(container, "no-such-command");
    expect(await running.status).toBe(1);
    expect(running.stderr()).toMatch(/no-such-command/);
  });

  test("a command that leaves the rest of its input unread ends well", async () => {
    const running = exec("-i", container, "head", "-c", "5");
    running.child.stdin!.write(Buffer.alloc(4 << 20, "x"));
    expect((await eventually(running.stdout, (out) => out.length > 0)).toString()).toBe("xxxxx");
    running.child.stdin!.end();
    expect(await running.status).toBe(0);
  });

  test("a terminal: its size, a new size, a line back and the exit code", async () => {
    const running = startOnTerminal(
      ["exec", "--transport", transport, "-it", container, "sh"],
      "exec 3<&0; (sleep 2; stty rows 44 cols 111 <&3) &",
    );
    await eventually(running.stdout, (out) => out.includes("# "));
    running.child.stdin!.write("test -t 0 && echo is-a-tty; stty size\n");
    expect((await eventually(running.stdout, (out) => /30 100/.test(String(out)))).toString()).toMatch(
      /is-a-tty\r\n30 100/,
    );
    await new Promise((resolve) => setTimeout(resolve, 2000));
    running.child.stdin!.write("stty size; exit 9\n");
    expect(await running.status).toBe(1);
    expect(running.stdout().toString()).toMatch(/44 111\r\n/);
    expect(running.stdout().toString()).toContain("exit code 9");
  }, 20_000);
});

describe.each(transports)("attach over %s", (transport) => {
  const attach = (...args: string[]) => start("attach", "--transport", transport, ...args);

  test("input of a container that takes it once: its end is the end of the shell", async () => {
    const id = await startedContainer(pod, ["sh", "-c", "while read line; do echo got $line; done; echo over"], {
      stdin: true,
      stdin_once: true,
    });
    const running = attach("-i", id);
    running.child.stdin!.write("one\n");
    await eventually(running.stdout, (out) => out.includes("got one"));
    running.child.stdin!.end("two\n");
    expect(await running.status).toBe(0);
    expect(running.stdout().toString()).toBe("got one\ngot two\nover\n");
    await crictl.run("rm", "-f", id);
  });

  test("input of a container that keeps it open: the next client goes on", async () => {
    const id = await startedContainer(pod, ["sh", "-c", "while read line; do echo got $line; done; echo over"], {
      stdin: true,
    });
    for (const word of ["one", "two"]) {
      const running = attach("-i", id);
      running.child.stdin!.write(`${word}\n`);
      expect(String(await eventually(running.stdout, (out) => out.includes("got")))).toBe(`got ${word}\n`);
      running.child.kill("SIGKILL");
      await running.status;
    }
    expect(await crictl.run("logs", id)).toBe("got one\ngot two");
    await crictl.run("rm", "-f", id);
  });

  test("a terminal: lines both ways and its size", async () => {
    const id = await startedContainer(pod, ["sh"], { stdin: true, tty: true });
    const running = startOnTerminal(["attach", "--transport", transport, "-it", id]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    running.child.stdin!.write("stty size\n");
    expect((await eventually(running.stdout, (out) => /30 100/.test(String(out)))).toString()).toContain("30 100");
    running.child.stdin!.write("exit\n");
    expect(await running.status).toBe(0);
    await crictl.run("rm", "-f", id);
  });
});

describe.each(transports)("port-forward over %s", (transport) => {
  const answer = "hello from the pod\n";
  const get = (port: number, file = "index.html") =>
    new Promise<string>((resolve, reject) => {
      http
        .get({ port, host: "127.0.0.1", path: `/${file}`, agent: false }, (response) => {
          let text = "";
          response.on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () => resolve(text));
        })
        .on("error", reject);
    });

  async function forward(toPod: string, remote: number): Promise<{ local: number; running: Running }> {
    const local = await freePort();
    const running = start("port-forward", "--transport", transport, toPod, `${local}:${remote}`);
    await eventually(running.stdout, (out) => out.includes("Forwarding from"));
    return { local, running };
  }

  test("many connections at once over one; a port where nobody listens is told and hurts no other", async () => {
    const serve = `mkdir -p /www && echo '${answer.trim()}' > /www/index.html && exec httpd -f -p 127.0.0.1:8080 -h /www`;
    const id = await startedContainer(pod, ["sh", "-c", serve]);
    const { local, running } = await forward(pod, 8080);
    await eventually(
      () => get(local).catch(() => ""),
      (text) => text === answer,
    );
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(local)));
    expect(new Set(answers)).toEqual(new Set([answer]));

    const other = await forward(pod, 8081);
    await expect(get(other.local)).rejects.toThrow();
    const said = await eventually(other.running.stderr, (text) => text.includes("8081"));
    expect(said).toMatch(/ECONNREFUSED/);
    expect(await get(local)).toBe(answer);
    running.child.kill("SIGINT");
    await crictl.run("rm", "-f", id);
  }, 30_000);

  test("IPv4 first, and IPv6 where nobody listens on that", async () => {
    const serve = [
      ...["four", "six"].map((word) => `mkdir -p /${word} && echo ${word} >/${word}/index.html`),
      "httpd -p 127.0.0.1:8090 -h /four && httpd -p '[::1]:8090' -h /six && exec httpd -f -p '[::1]:8091' -h /six",
    ].join(" && ");
    const id = await startedContainer(pod, ["sh", "-c", serve]);
    const answers: Record<number, string> = {};
    for (const port of [8091, 8090]) {
      const { local } = await forward(pod, port);
      answers[port] = await eventually(
        () => get(local).catch(() => ""),
        (text) => text !== "",
      );
    }
    expect(answers).toEqual({ 8090: "four\n", 8091: "six\n" });
    await crictl.run("rm", "-f", id);
  });

  test("a pod on the host's network", async () => {
    const server = net.createServer((socket) => socket.end("from the host\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const hostPod = await runPod(`host-${transport}`, { security_context: { namespace_options: { network: 2 } } });
    const { local } = await forward(hostPod, (server.address() as net.AddressInfo).port);
    const text = await new Promise<string>((resolve) => {
      let all = "";
      net
        .connect(local, "127.0.0.1")
        .on("data", (chunk) => {
          all += chunk;
        })
        .on("close", () => resolve(all));
    });
    expect(text).toBe("from the host\n");
    server.close();
    await crictl.run("rmp", "-f", hostPod);
  });
});

test("an attach client that never reads is dropped, and the log goes on at full speed", async () => {
  const id = await startedContainer(
    pod,
    [
      "sh",
      "-c",
      "read go; yes 0123456789012345678901234567890123456789 | head -c 60000000; echo done-with-it; sleep 1000",
    ],
    {
      stdin: true,
    },
  );
  const running = start("attach", "-i", id);
  await new Promise((resolve) => setTimeout(resolve, 500));
  running.child.stdout!.pause();
  running.child.kill("SIGSTOP");
  // the monitor would wait for the stopped one
  const other = start("attach", "-i", id);
  await new Promise((resolve) => setTimeout(resolve, 500));
  other.child.stdin!.write("go\n");
  const log = path.join(daemon.directory, "logs", "main", `c-${counter}.log`);
  const tail = () => {
    const handle = fs.openSync(log, "r");
    const bytes = Buffer.alloc(200);
    const { size } = fs.fstatSync(handle);
    fs.readSync(handle, bytes, 0, 200, Math.max(0, size - 200));
    fs.closeSync(handle);
    return bytes.toString();
  };
  expect(await eventually(tail, (text) => text.includes("done-with-it"), 600)).toContain("done-with-it");
  running.child.kill("SIGCONT");
  await crictl.run("rm", "-f", id);
}, 60_000);

describe("URLs", () => {
  const upgrade = (url: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const request = http.request(url, {
        method: "POST",
        agent: false,
        headers: { connection: "Upgrade", upgrade: "SPDY/3.1", ...headers },
      });
      request.on("upgrade", (response, socket) => {
        socket.destroy();
        resolve({ status: response.statusCode!, body: "" });
      });
      request.on("response", (response) => {
        let body = "";
        response.on("data", (chunk) => {
          body += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode!, body }));
      });
      request.on("error", reject).end();
    });
  const execUrl = async (cmd = ["true"], flags: { tty?: boolean; stderr?: boolean } = {}) => {
    const client = new Client(daemon.socket);
    try {
      const { url } = await client.runtime("Exec", { containerId: container, cmd, stdout: true, ...flags });
      return url;
    } finally {
      client.close();
    }
  };

  /** What comes over each channel of a WebSocket (v5.channel.k8s.io) until its end. */
  async function channelsOf(url: string): Promise<Record<number, string>> {
    const socket = new WebSocket(url.replace("http:", "ws:"), "v5.channel.k8s.io");
    const texts: Record<number, string> = {};
    socket.on("message", (data: Buffer) => {
      texts[data[0]!] = (texts[data[0]!] ?? "") + data.subarray(1);
    });
    await new Promise((resolve, reject) => socket.on("close", resolve).on("error", reject));
    return texts;
  }

  test("are absolute, on the loopback, and good once", async () => {
    const url = await execUrl();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{22,}$/);
    expect((await upgrade(url)).status).toBe(101);
    expect((await upgrade(url)).status).toBe(404);
  });

  test("a guessed token, another door, a page in a browser and a strange subprotocol are refused", async () => {
    const url = await execUrl();
    expect((await upgrade(url.replace(/[^/]+$/, "guess"))).status).toBe(404);
    expect((await upgrade(url, { origin: "http://evil.example" })).status).toBe(403);
    expect((await upgrade(url.replace("/exec/", "/attach/"))).status).toBe(404);
    expect((await upgrade(await execUrl(), { "x-stream-protocol-version": "v99.example" })).status).toBe(403);
  });

  test("a terminal has one output for both, which are apart without one", async () => {
    const command = ["sh", "-c", "echo out; echo err >&2"];
    // at once, so that some end before the runtime that starts them has looked
    const all = await Promise.all(
      Array.from({ length: 10 }, async () => channelsOf(await execUrl(command, { tty: true }))),
    );
    for (const texts of all) expect(texts).toMatchObject({ 1: "out\r\nerr\r\n" });
    const many = ["sh", "-c", "yes 0123456789 | head -n 100"];
    expect(await channelsOf(await execUrl(many, { tty: true }))).toMatchObject({ 1: "0123456789\r\n".repeat(100) });
    expect(await channelsOf(await execUrl(command, { stderr: true }))).toMatchObject({ 1: "out\n", 2: "err\n" });
    await expect(execUrl(command, { tty: true, stderr: true })).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});

/** Before the first transport's sessions: a collection of garbage may leave less than that for the second. */
let memoryAtFirst: number | undefined;

test.each(transports)(
  `${SESSIONS} sessions at once over %s with 1 MiB through each: all bytes right, and a minute later nothing is left`,
  async (transport) => {
    const before = { fds: daemonFds(), memory: daemonMemory() };
    memoryAtFirst ??= before.memory;
    const sessions = Array.from({ length: SESSIONS }, () => {
      const bytes = randomBytes(1 << 20);
      const running = start("exec", "--transport", transport, "-i", container, "cat");
      running.child.stdin!.write(bytes.subarray(0, -1));
      return { running, bytes };
    });
    // the last byte waits until all the others of all sessions have come back, so that they do stand at once
    for (const { running } of sessions) {
      const isBack = (count: number) => count === (1 << 20) - 1 || running.child.exitCode !== null;
      await eventually(running.received, isBack, 2400);
    }
    const peak = daemonMemory();
    for (const { running, bytes } of sessions) running.child.stdin!.end(bytes.subarray(-1));
    for (const { running, bytes } of sessions) {
      const status = await running.status;
      if (status !== 0) throw new Error(running.stderr());
      expect(sha256(running.stdout())).toBe(sha256(bytes));
    }
    expect(await eventually(daemonFds, (fds) => fds <= before.fds + 2)).toBeLessThanOrEqual(before.fds + 2);
    const limit = Math.max(before.memory, memoryAtFirst) + (20 << 20);
    const after = await eventually(daemonMemory, (memory) => memory <= limit, 1200);
    console.info({ before: before.memory >> 20, peak: peak >> 20, after: after >> 20 });
    expect(after).toBeLessThanOrEqual(limit);
  },
  300_000,
);

test("clients that vanish leave no descriptor, and the container is unhurt", async () => {
  const files = daemonFiles();
  const before = files.length;
  const all = [
    start("exec", "-i", container, "cat"),
    start("exec", container, "sh", "-c", "while echo x; do sleep 0.1; done"),
    startOnTerminal(["exec", "-it", container, "sleep", "12345"]),
    start("exec", "-i", container, "sleep", "8"),
  ];
  // more than the daemon takes in: the client's end lies behind what is not read. Where the kernel has no room for all
  // of it the end does not even come through, and the session ends with its command
  all[3]!.child.stdin!.write(Buffer.alloc(2 << 20));
  await eventually(
    () => crictl.run("exec", "-s", container, "ps"),
    (text) => text.includes("12345"),
  );
  for (const { child, status } of all) {
    child.kill("SIGKILL");
    await status;
  }
  if ((await eventually(daemonFds, (fds) => fds <= before, 600)) > before) expect(daemonFiles()).toEqual(files);
  const left = () => crictl.run("exec", "-s", container, "ps");
  const gone = (text: string) => !/12345|while echo|\bcat\b/.test(text);
  expect(await eventually(left, gone)).not.toMatch(/12345|while echo|\bcat\b/);
}, 60_000);
