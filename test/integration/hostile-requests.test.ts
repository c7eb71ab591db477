import fs from "node:fs";
import path from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { cgroups, mounts } from "../../hack/support/machine.cjs";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";
import { changeArbitrary, messageArbitrary, spoil, spoilingArbitrary, withChange } from "./hostile/arbitraries";
import { complaint } from "./hostile/oracle";
import { type RawAnswer, RawClient, type RawMethod, rawMethods } from "./hostile/raw-client";
import { encodeLoosely, type Known, type Loose, type LooseValue } from "./hostile/wire";

/**
 * Every RPC, asked what no client should ask: each gets an answer that says so, nothing is left of it and the daemon
 * goes on. HOSTILE_SECONDS is how long each property tries, HOSTILE_SEED and HOSTILE_PATH which requests it makes,
 * HOSTILE_HANDLER the runtime that containers run by.
 */
const seconds = Number(process.env["HOSTILE_SECONDS"] ?? 10);
/** The same requests each time, so that CI says the same each time of the same code; others with HOSTILE_SEED=random. */
const { HOSTILE_SEED = "1" } = process.env;
const seed = HOSTILE_SEED === "random" ? undefined : Number(HOSTILE_SEED);

let registry: TestRegistry;
let daemon: TestDaemon;
let client: RawClient;
let known: Known;
let counter = 0;

const methodOf = (name: string) => rawMethods.find((method) => method.name === name)!;

async function ask(method: RawMethod, request: Loose): Promise<RawAnswer> {
  return client.call(method, encodeLoosely(method.request, request, known));
}

/** A call that has to succeed; its answer. */
async function call(name: string, request: Loose): Promise<Record<string, unknown>> {
  const method = methodOf(name);
  const { code, details, messages } = await ask(method, request);
  if (code !== status.OK) throw new Error(`${name}: ${status[code]} ${details}`);
  return method.response.toObject(method.response.decode(messages[0]!), { defaults: true });
}

const text = (template: string) => ({ template });

const podConfig = (over: Loose = {}): Loose => ({
  metadata: { message: { name: text("pod-{unique}"), namespace: "default", uid: text("uid-{unique}") } },
  logDirectory: text("{directory}/logs"),
  linux: { message: { cgroupParent: text("/{parent}") } },
  ...over,
});

const inHostNamespaces: Loose = {
  linux: {
    message: {
      cgroupParent: text("/{parent}"),
      securityContext: { message: { namespaceOptions: { message: { network: 2, ipc: 2, pid: 2 } }, privileged: true } },
    },
  },
};
const withSharedPid: Loose = {
  linux: {
    message: {
      cgroupParent: text("/{parent}"),
      securityContext: { message: { namespaceOptions: { message: { pid: 0 } } } },
      sysctls: { pairs: [["net.ipv4.ip_unprivileged_port_start", "80"]] },
    },
  },
  hostname: "hostile",
  dnsConfig: { message: { servers: ["10.0.0.10"], searches: ["a.b"], options: ["ndots:5"] } },
};

const containerConfig = (over: Loose = {}): Loose => ({
  metadata: { message: { name: text("c-{unique}") } },
  image: { message: { image: text("{image}") } },
  command: ["sleep", "1000"],
  logPath: text("c-{unique}.log"),
  linux: { message: {} },
  ...over,
});

const furnished: Loose = {
  args: ["1"],
  workingDir: "/tmp",
  envs: [{ message: { key: "A", value: "b" } }],
  mounts: [{ message: { containerPath: "/mnt/a", hostPath: text("{directory}/mounted"), readonly: true } }],
  devices: [{ message: { containerPath: "/dev/x", hostPath: "/dev/null", permissions: "r" } }],
  labels: { pairs: [["a", "b"]] },
  annotations: { pairs: [["c", "d"]] },
  linux: {
    message: {
      resources: { message: { cpuShares: 128, memoryLimitInBytes: 64 << 20 } },
      securityContext: {
        message: {
          runAsUser: { message: { value: 1000 } },
          runAsGroup: { message: { value: 1000 } },
          supplementalGroups: [7],
          capabilities: { message: { addCapabilities: ["NET_RAW"] } },
          seccomp: { message: {} },
          maskedPaths: ["/proc/kcore"],
          readonlyPaths: ["/proc/sys"],
        },
      },
    },
  },
};
const withImageVolume: Loose = {
  mounts: [{ message: { containerPath: "/mnt/i", readonly: true, image: { message: { image: text("{image}") } } } }],
};

const createRequest = (over: Loose): Loose => ({
  podSandboxId: text("{pod}"),
  config: { message: containerConfig(over) },
});
const podRequest = (over: Loose): Loose => ({ config: { message: podConfig(over) } });
const metadataOf = (name: string) => ({ message: { name, namespace: "default", uid: "u" } });
const longParent: LooseValue = { repeat: "x", times: 5000 };

/** Good requests, of which one field is then made bad: what is refused at the door never comes far. */
const goodRequests: [string, Loose][] = [
  ["RunPodSandbox", { config: { message: podConfig() } }],
  ["RunPodSandbox", { config: { message: podConfig(inHostNamespaces) } }],
  ["RunPodSandbox", { config: { message: podConfig(withSharedPid) } }],
  ["CreateContainer", { podSandboxId: text("{pod}"), config: { message: containerConfig() } }],
  ["CreateContainer", { podSandboxId: text("{pod}"), config: { message: containerConfig(furnished) } }],
  ["CreateContainer", { podSandboxId: text("{pod}"), config: { message: containerConfig(withImageVolume) } }],
  ["UpdateContainerResources", { containerId: text("{container}"), linux: { message: { cpuShares: 100 } } }],
  ["UpdateContainerResources", { containerId: text("{created}"), linux: { message: { cpuShares: 100 } } }],
  ["ExecSync", { containerId: text("{container}"), cmd: ["true"], timeout: 5 }],
  ["Exec", { containerId: text("{container}"), cmd: ["true"], stdout: true }],
  ["Attach", { containerId: text("{container}"), stdout: true }],
  ["PortForward", { podSandboxId: text("{pod}"), port: [80] }],
  ["ReopenContainerLog", { containerId: text("{container}") }],
  ["ContainerStatus", { containerId: text("{container}"), verbose: true }],
  ["PodSandboxStatus", { podSandboxId: text("{pod}"), verbose: true }],
  ["ListContainers", { filter: { message: { podSandboxId: text("{pod}") } } }],
  ["StreamContainers", { filter: { message: { podSandboxId: text("{pod}") } } }],
  ["ListContainerStats", { filter: { message: { podSandboxId: text("{pod}") } } }],
  ["StopContainer", { containerId: text("{exited}"), timeout: 1 }],
  ["StartContainer", { containerId: text("{exited}") }],
  ["UpdateRuntimeConfig", { runtimeConfig: { message: { networkConfig: { message: { podCidr: "10.1.0.0/16" } } } } }],
  ["PullImage", { image: { message: { image: text("{image}") } } }],
  ["Pull", { image: text("{image}") }],
  ["ImageStatus", { image: { message: { image: text("{image}") } }, verbose: true }],
  ["ExportImage", { image: text("{image}"), path: text("{directory}/exported.tar") }],
  ["ImportImages", { path: text("{directory}/exported.tar") }],
];

/** Makes what requests can name: a pod with a running, a created and an exited container. */
async function furnish(): Promise<void> {
  known = {
    ...known,
    directory: daemon.directory,
    parent: `berth-${path.basename(daemon.directory)}`,
    unknown: "e".repeat(64),
  };
  await call("PullImage", { image: { message: { image: text("{image}") } } });
  const { image } = await call("ImageStatus", { image: { message: { image: text("{image}") } } });
  known["imageId"] = (image as { id: string }).id;
  known["unique"] = String(++counter);
  known["pod"] = (await call("RunPodSandbox", { config: { message: podConfig() } }))["podSandboxId"] as string;
  for (const role of ["container", "created", "exited"]) {
    known["unique"] = String(++counter);
    // ends when it is asked to, however long a stop may take
    const untilAsked = ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"];
    const command = role === "exited" ? ["true"] : untilAsked;
    const request = { podSandboxId: text("{pod}"), config: { message: containerConfig({ command }) } };
    known[role] = (await call("CreateContainer", request))["containerId"] as string;
    if (role !== "created") await call("StartContainer", { containerId: text(`{${role}}`) });
  }
  while (!(await isFurnished())) await new Promise((resolve) => setTimeout(resolve, 20));
}

const list = (directory: string) => (fs.existsSync(directory) ? fs.readdirSync(directory).sort() : []);
const mountsOfDaemon = () => mounts().filter(({ point }) => point.startsWith(`${daemon.directory}/`)).length;

/** What there may be more of when something was left behind; all of it is cheap to look at. */
const traces = () => ({
  sandboxes: list(path.join(daemon.state, "sandboxes")),
  containers: list(path.join(daemon.state, "containers")),
  exits: list(path.join(daemon.state, "exits")),
  snapshots: list(path.join(daemon.root, "snapshots")),
  volumes: list(path.join(daemon.root, "volumes")),
  addresses: daemon.allocatedAddresses(),
  mounts: mountsOfDaemon(),
});

const differences = (a: ReturnType<typeof traces>, b: ReturnType<typeof traces>) =>
  Object.entries(b)
    .filter(([kind, now]) => JSON.stringify(now) !== JSON.stringify(a[kind as keyof typeof a]))
    .map(([kind, now]) => `${kind}: ${JSON.stringify(now)}, before: ${JSON.stringify(a[kind as keyof typeof a])}`)
    .join("; ");

const outside = () =>
  ["/", "/root", process.cwd()].flatMap((directory) => list(directory).map((name) => path.join(directory, name)));

/** The cgroups right below the root that nothing runs in: what a pod's parent leaves. Busy ones are somebody else's. */
const emptyCgroups = () =>
  cgroups().filter((directory) => /^\/sys\/fs\/cgroup\/[^/]+\/[^/]+$/.test(directory) && isEmptyCgroup(directory));

function isEmptyCgroup(directory: string): boolean {
  const processes = path.join(directory, "cgroup.procs");
  const isLeaf = fs.readdirSync(directory, { withFileTypes: true }).every((entry) => !entry.isDirectory());
  return isLeaf && fs.existsSync(processes) && fs.readFileSync(processes, "utf8") === "";
}

let before: ReturnType<typeof traces>;
let emptyCgroupsBefore: string[];
let logBytes = 0;

/** What the daemon has said since the last look that it never should. */
function badLogLine(): string | undefined {
  const { size } = fs.statSync(daemon.log);
  const handle = fs.openSync(daemon.log, "r");
  const bytes = Buffer.alloc(Math.max(0, size - logBytes));
  fs.readSync(handle, bytes, 0, bytes.length, logBytes);
  fs.closeSync(handle);
  logBytes = size;
  return bytes
    .toString()
    .split("\n")
    .find((line) => / error /.test(line.slice(0, 40)) || /unhandled|uncaught/i.test(line));
}

/** Whether what the properties stand on is still there; a request may rightly have removed it. */
async function isFurnished(): Promise<boolean> {
  const states = await Promise.all(
    (["container", "created", "exited"] as const).map(async (role) => {
      const { code, messages } = await ask(methodOf("ContainerStatus"), { containerId: text(`{${role}}`) });
      if (code !== status.OK) return undefined;
      const { response } = methodOf("ContainerStatus");
      return (response.toObject(response.decode(messages[0]!)) as { status: { state?: number } }).status.state ?? 0;
    }),
  );
  const image = await call("ImageStatus", { image: { message: { image: text("{image}") } } });
  return states.join() === "1,0,2" && Boolean(image["image"]);
}

/** What may rightly end a container, a low limit of memory among it. */
const destructive = /^(Stop|Remove|Start|UpdateContainer)/;

/** Sends bytes and says what is wrong with the answer, or with what came of it. */
async function trouble(method: RawMethod, bytes: Buffer): Promise<string | undefined> {
  const answer = await client.call(method, bytes);
  let wrong = complaint(method.name, answer, bytes.length);
  if (answer.code === status.OK) wrong ??= await undone(method, bytes, answer);
  if (destructive.test(method.name) && !(await isFurnished())) {
    await call("RemovePodSandbox", { podSandboxId: text("{pod}") });
    await furnish();
    before = traces();
  }
  const after = traces();
  const left = differences(before, after);
  // so that the next request is blamed for its own alone
  before = after;
  if (left) wrong ??= `${method.name} (${status[answer.code]}) left something: ${left}`;
  return wrong ?? badLogLine();
}

/** Looks at what a request has made and takes it away again; says what is wrong with that. */
async function undone(method: RawMethod, bytes: Buffer, { messages }: RawAnswer): Promise<string | undefined> {
  const request = method.request.toObject(method.request.decode(bytes), { defaults: true }) as {
    config: Record<string, unknown>;
  };
  const steps: [string, Loose][] = [];
  if (method.name === "RunPodSandbox") {
    const podSandboxId = answerOf(method, messages)["podSandboxId"] as string;
    const verbose = true;
    steps.push(["PodSandboxStatus", { podSandboxId, verbose }], ["ListPodSandbox", {}], ["ListPodSandboxStats", {}]);
    steps.push(["StopPodSandbox", { podSandboxId }], ["RemovePodSandbox", { podSandboxId }]);
  } else if (method.name === "CreateContainer") {
    const containerId = answerOf(method, messages)["containerId"] as string;
    if (Object.values(known).includes(containerId)) return undefined;
    steps.push(["ContainerStatus", { containerId, verbose: true }], ["StartContainer", { containerId }]);
    steps.push(["ListContainers", {}], ["ContainerStats", { containerId }], ["ListPodSandboxMetrics", {}]);
    steps.push(["RemoveContainer", { containerId }]);
  }
  let wrong: string | undefined;
  for (const [name, step] of steps) {
    const answer = await ask(methodOf(name), step);
    const mayFail = name === "StartContainer";
    if (answer.code !== status.OK && !mayFail) wrong ??= `${name}: ${status[answer.code]} ${answer.details}`;
    if (mayFail) wrong ??= complaint(name, answer, 0);
    if (answer.code === status.OK && /^(PodSandbox|Container)Status$/.test(name)) {
      const shown = (answerOf(methodOf(name), answer.messages) as { status: Record<string, unknown> }).status;
      for (const field of ["labels", "annotations"]) {
        if (!isSame(shown[field], request.config[field])) wrong ??= `${name}: the ${field} are not what was asked for`;
      }
    }
  }
  return wrong && `${method.name} succeeded, but then ${wrong}`;
}

const answerOf = ({ response }: RawMethod, messages: Buffer[]) =>
  response.toObject(response.decode(messages[0]!), { defaults: true });

const isSame = (a: unknown, b: unknown) =>
  JSON.stringify(Object.entries(a as object).sort()) === JSON.stringify(Object.entries(b as object).sort());

/**
 * Checks a property for its time; what fails is shrunk, and told with the seed and the path that make it again. With
 * HOSTILE_COLLECT nothing is shrunk, and all that goes wrong is told at the end.
 */
async function hold<T>(arbitrary: fc.Arbitrary<T>, requestOf: (value: T) => { method: RawMethod; bytes: Buffer }) {
  const collected = new Map<string, string>();
  let underWay: Promise<string | undefined> = Promise.resolve(undefined);
  const property = fc.asyncProperty(arbitrary, async (value) => {
    known["unique"] = String(++counter);
    const { method, bytes } = requestOf(value);
    underWay = trouble(method, bytes).catch((error) => `${method.name}: ${error.message}`);
    const wrong = await underWay;
    if (!wrong) return;
    if (!process.env["HOSTILE_COLLECT"]) throw new Error(wrong);
    const kind = wrong.replace(/[0-9a-f]{64}|\d+/g, "N").slice(0, 150);
    if (!collected.has(kind)) collected.set(kind, `${wrong}: ${fc.stringify(value)}`);
  });
  try {
    await fc.assert(property, {
      seed,
      path: process.env["HOSTILE_PATH"],
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: seconds * 1000,
    });
  } finally {
    // fast-check does not wait for the run that the end of the time has met
    await underWay;
  }
  expect([...collected.values()]).toEqual([]);
}

beforeAll(async () => {
  registry = await testRegistry();
  emptyCgroupsBefore = emptyCgroups();
  const runtime = { default_handler: process.env["HOSTILE_HANDLER"] ?? "" };
  daemon = await startDaemon({ registry: registry.url, options: { log: { level: "debug" }, runtime } });
  const at = (name: string) => path.join(daemon.directory, name);
  fs.mkdirSync(at("mounted"));
  fs.writeFileSync(at("file"), "");
  fs.symlinkSync("loop", at("loop"));
  fs.symlinkSync(at("mounted"), at("link-out"));
  known = { image: await registry.push("test/busybox", busyboxImage()) };
  client = new RawClient(daemon.socket);
  await furnish();
  before = traces();
}, 60_000);

afterAll(async () => {
  // its parent's cgroup goes with it, whatever has failed before
  if (known?.["pod"]) await ask(methodOf("RemovePodSandbox"), { podSandboxId: text("{pod}") });
  client?.close();
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

const patienceMs = seconds * 1000 + 120_000;

test(
  "any request, made from the descriptor",
  async () => {
    const there = outside();
    const any = fc
      .constantFrom(...rawMethods.map(({ name }) => name))
      .chain((name) => fc.record({ name: fc.constant(name), request: messageArbitrary(methodOf(name).request) }));
    await hold(any, ({ name, request }) => {
      const method = methodOf(name);
      return { method, bytes: encodeLoosely(method.request, request, known) };
    });
    expect(outside()).toEqual(there);
  },
  patienceMs,
);

test(
  "a good request with one field made bad",
  async () => {
    const there = outside();
    const nearlyGood = fc.constantFrom(...goodRequests).chain(([name, good]) =>
      fc.record({
        name: fc.constant(name),
        good: fc.constant(good),
        change: changeArbitrary(methodOf(name).request),
      }),
    );
    await hold(nearlyGood, ({ name, good, change }) => {
      const method = methodOf(name);
      return { method, bytes: encodeLoosely(method.request, withChange(method.request, good, change), known) };
    });
    expect(outside()).toEqual(there);
  },
  patienceMs,
);

test(
  "bytes that are no message, or one of a later API",
  async () => {
    const there = outside();
    const spoiled = fc
      .oneof(
        fc.constantFrom(...goodRequests).map(([name, request]) => ({ name, request })),
        fc
          .constantFrom(...rawMethods.map(({ name }) => name))
          .chain((name) => fc.record({ name: fc.constant(name), request: messageArbitrary(methodOf(name).request) })),
      )
      .chain((request) => fc.record({ request: fc.constant(request), spoiling: spoilingArbitrary }));
    await hold(spoiled, ({ request: { name, request }, spoiling }) => {
      const method = methodOf(name);
      return { method, bytes: spoil(encodeLoosely(method.request, request, known), spoiling) };
    });
    expect(outside()).toEqual(there);
  },
  patienceMs,
);

test.each([2n ** 22n, 2n ** 31n, 2n ** 63n - 1n])("a timeout of %d s is not over at once", async (timeout) => {
  const cmd = ["sh", "-c", "sleep 0.3; echo done"];
  const { stdout } = await call("ExecSync", { containerId: text("{container}"), cmd, timeout });
  expect(Buffer.from(stdout as Uint8Array).toString()).toBe("done\n");
});

test.each<[string, string, Loose]>([
  ["a NUL in a command", "ExecSync", { containerId: text("{container}"), cmd: ["true\0x"] }],
  ["a NUL in a command for later", "Exec", { containerId: text("{container}"), cmd: ["a\0"], stdout: true }],
  ["a stop signal that is none", "CreateContainer", createRequest({ stopSignal: 1000 })],
  ["a name that is a path", "CreateContainer", createRequest({ metadata: { message: { name: "../a" } } })],
  [
    "16 MiB of labels",
    "CreateContainer",
    createRequest({ labels: { pairs: [["k", { repeat: "v", times: 15 << 20 }]] } }),
  ],
  ["a negative port", "RunPodSandbox", podRequest({ portMappings: [{ message: { containerPort: -1 } }] })],
  ["a name that is a path", "RunPodSandbox", podRequest({ metadata: metadataOf("../..") })],
  ["16 MiB of labels", "RunPodSandbox", podRequest({ labels: { pairs: [["k", { repeat: "v", times: 15 << 20 }]] } })],
  [
    "a sysctl that is none",
    "RunPodSandbox",
    podRequest({ linux: { message: { sysctls: { pairs: [["net.a.b", "1"]] } } } }),
  ],
  [
    "a parent cgroup too long to be one",
    "RunPodSandbox",
    podRequest({ linux: { message: { cgroupParent: longParent } } }),
  ],
  ["a link in the place of an archive", "ExportImage", { image: text("{image}"), path: text("{directory}/loop") }],
])("%s: %s() is InvalidArgument", async (_, name, request) => {
  const { code, details } = await ask(methodOf(name), request);
  expect([status[code], details]).toEqual(["INVALID_ARGUMENT", expect.stringMatching(/./)]);
});

test("nothing is left of it all", async () => {
  await call("RemovePodSandbox", { podSandboxId: text("{pod}") });
  await call("RemoveImage", { image: { message: { image: text("{image}") } } });
  const { snapshots, mounts, ...others } = traces();
  expect(others).toEqual({ sandboxes: [], containers: [], exits: [], volumes: [], addresses: [] });
  expect(snapshots.filter((name) => !name.startsWith("."))).toEqual([]);
  expect(mounts).toBe(0);
  expect(list(path.join(daemon.root, "content/ingest"))).toEqual([]);
  expect(emptyCgroups().filter((each) => !emptyCgroupsBefore.includes(each))).toEqual([]);
});
