import { execFile } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Crictl } from "../support/crictl";
import { environment, startDaemon, type TestDaemon, testDaemon } from "../support/daemon";
import { busyboxImage, type Image } from "../support/images";
import { freePort, temporaryDirectory } from "../support/unique";

/** Bad input: a clear error that says what to do, and nothing changed. */
let daemon: TestDaemon;
let crictl: Crictl;

beforeAll(async () => {
  daemon = await startDaemon();
  crictl = new Crictl(daemon);
}, 60_000);

afterAll(async () => {
  await daemon?.remove();
}, 60_000);

const blobs = () => fs.readdirSync(path.join(daemon.root, "content/blobs/sha256"));

async function refusedPull(image: string): Promise<string> {
  const before = blobs();
  const { status, stderr } = await crictl.try("pull", image);
  expect(status).not.toBe(0);
  expect(await crictl.run("images", "-q")).toBe("");
  // what was verified may stay for the next try; nothing half done does
  expect(fs.readdirSync(path.join(daemon.root, "content/ingest"))).toEqual([]);
  expect(blobs().length).toBeGreaterThanOrEqual(before.length);
  return stderr;
}

interface Served {
  image: Image;
  /** Changes an answer; the headers are made of what it returns. */
  spoil?: (url: string, body: Buffer) => Buffer;
}

/** A registry of one image that can lie. */
async function withRegistry({ image, spoil }: Served, use: (reference: string) => Promise<void>): Promise<void> {
  const content = new Map<string, { body: Buffer; type: string }>();
  for (const blob of image.blobs) content.set(`/v2/x/blobs/${blob.digest}`, { body: blob.bytes, type: blob.mediaType });
  for (const tag of ["v1", image.digest])
    content.set(`/v2/x/manifests/${tag}`, { body: image.bytes, type: image.mediaType });
  const server = http.createServer((request, response) => {
    const url = request.url!.split("?")[0]!;
    const found = content.get(url);
    if (url === "/v2/") response.end("{}");
    else if (!found)
      response.writeHead(404, { "content-type": "application/json" }).end('{"errors":[{"code":"NAME_UNKNOWN"}]}');
    else {
      response.setHeader("content-type", found.type);
      if (url.includes("/manifests/")) response.setHeader("docker-content-digest", image.digest);
      const body = spoil ? spoil(url, found.body) : found.body;
      response.setHeader("content-length", found.body.length);
      if (request.method === "HEAD") response.end();
      else if (body.length < found.body.length) {
        response.write(body);
        setTimeout(() => response.destroy(), 20);
      } else response.end(body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use(`127.0.0.1:${(server.address() as { port: number }).port}/x:v1`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe("pulling", () => {
  test("an image that the registry does not have", async () => {
    await withRegistry({ image: busyboxImage() }, async (reference) => {
      expect(await refusedPull(reference.replace("/x:", "/none:"))).toMatch(/none.*not found/is);
    });
  });

  test("a registry that is down", async () => {
    const port = await freePort();
    const said = await refusedPull(`127.0.0.1:${port}/x:v1`);
    expect(said).toContain("RegistryUnavailable");
    expect(said).toContain(`127.0.0.1:${port}`);
  });

  test("a layer with the wrong digest", async () => {
    const flip = (url: string, body: Buffer) => {
      if (!url.includes("/blobs/") || body.length < 100_000) return body;
      const changed = Buffer.from(body);
      changed[body.length - 20]! ^= 1;
      return changed;
    };
    await withRegistry({ image: busyboxImage(), spoil: flip }, async (reference) => {
      expect(await refusedPull(reference)).toMatch(/digest/i);
    });
  });

  test("a layer that is cut off", async () => {
    const cut = (url: string, body: Buffer) =>
      url.includes("/blobs/") && body.length > 100_000 ? body.subarray(0, 50_000) : body;
    await withRegistry({ image: busyboxImage(), spoil: cut }, async (reference) => {
      const said = await refusedPull(reference);
      expect(said).toContain(reference.split("/")[0]);
    });
  }, 120_000);

  test("a name that can't be one", async () => {
    expect((await crictl.try("pull", "Not/A:Valid:Name")).stderr).toMatch(/reference|name/i);
  });
});

describe("requests", () => {
  const pod = { metadata: { name: "p", namespace: "default", uid: "u", attempt: 0 }, linux: {} };
  const left = () => [fs.readdirSync(path.join(daemon.state, "sandboxes")), daemon.allocatedAddresses()];

  test.each([
    [
      "with a control character in its name",
      { ...pod, metadata: { ...pod.metadata, name: "a\u0001b" } },
      "metadata.name",
    ],
    ["with a cgroup parent that escapes", { ...pod, linux: { cgroup_parent: "/../.." } }, "cgroup_parent"],
    [
      "with a sysctl of the host's",
      { ...pod, linux: { sysctls: { "kernel.core_pattern": "|/x" } } },
      "kernel.core_pattern",
    ],
    ["with a log directory that is no path", { ...pod, log_directory: "../x" }, "log_directory"],
  ])("runp %s", async (_, config, message) => {
    const { status, stderr } = await crictl.try("runp", crictl.file("bad.json", config));
    expect(status).not.toBe(0);
    expect(stderr).toContain(message);
    expect(left()).toEqual([[], []]);
  });

  test("runp with an unknown runtime handler names the known ones", async () => {
    const { stderr } = await crictl.try("runp", "--runtime", "nope", crictl.file("bad.json", pod));
    expect(stderr).toMatch(/no runtime handler \\?"nope.*known handlers: .*runc/s);
    expect(left()).toEqual([[], []]);
  });

  test("create of an unknown image", async () => {
    const id = await crictl.run("runp", crictl.file("pod.json", pod));
    const container = crictl.file("c.json", { metadata: { name: "c" }, image: { image: "no/such:image" }, linux: {} });
    const { stderr } = await crictl.try("create", "--no-pull", id, container, crictl.file("pod.json", pod));
    expect(stderr).toMatch(/no\/such:image.*not found/s);
    expect(fs.readdirSync(path.join(daemon.state, "containers"))).toEqual([]);
    await crictl.run("rmp", "-f", id);
  });

  test("create of a command that does not exist leaves no cgroup", async () => {
    await withRegistry({ image: busyboxImage() }, async (reference) => {
      await crictl.run("pull", reference);
      const parent = `/berth-${path.basename(daemon.directory)}`;
      const config = { ...pod, metadata: { ...pod.metadata, uid: "missing" }, linux: { cgroup_parent: parent } };
      const id = await crictl.run("runp", crictl.file("missing.json", config));
      const container = crictl.file("c.json", {
        metadata: { name: "c" },
        image: { image: reference },
        command: ["/no/such/command"],
        linux: {},
      });
      const { stderr } = await crictl.try("create", "--no-pull", id, container, crictl.file("missing.json", config));
      expect(stderr).toMatch(/no such file|not found/i);
      const cgroups = fs.globSync([`/sys/fs/cgroup${parent}/*/`, `/sys/fs/cgroup/*${parent}/*/`]);
      expect(cgroups).toEqual([]);
      await crictl.run("rmp", "-f", id);
      expect(fs.globSync([`/sys/fs/cgroup${parent}`, `/sys/fs/cgroup/*${parent}`])).toEqual([]);
      await crictl.run("rmi", reference);
    });
  });

  test("unknown objects: stop and remove succeed, inspect is NotFound", async () => {
    const id = "f".repeat(64);
    for (const verb of ["stop", "rm", "stopp", "rmp"]) await crictl.try(verb, id);
    for (const verb of ["inspect", "inspectp"]) expect((await crictl.try(verb, id)).stderr).toContain("not found");
  });
});

describe("CNI", () => {
  test("a broken configuration: not ready, and the reason names the file; a good one heals it", async () => {
    const [name] = fs.readdirSync(daemon.confDir);
    const file = path.join(daemon.confDir, name!);
    const good = fs.readFileSync(file, "utf8");
    const networkReady = async () => {
      const info = await crictl.json<{ status: { conditions: { type: string; status: boolean; message: string }[] } }>(
        "info",
      );
      return info.status.conditions.find(({ type }) => type === "NetworkReady")!;
    };
    const until = async (ready: boolean) => {
      for (let i = 0; i < 100; i++) {
        const condition = await networkReady();
        if (condition.status === ready) return condition;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return networkReady();
    };
    fs.writeFileSync(file, '{ "cniVersion": ');
    try {
      const broken = await until(false);
      expect(broken.status).toBe(false);
      expect(broken.message).toContain(name!);
      const { stderr } = await crictl.try(
        "runp",
        crictl.file("pod2.json", { metadata: { name: "q", namespace: "d", uid: "q" }, linux: {} }),
      );
      expect(stderr).toContain(name!);
      expect(fs.readdirSync(path.join(daemon.state, "sandboxes"))).toEqual([]);
    } finally {
      fs.writeFileSync(file, good);
    }
    expect((await until(true)).status).toBe(true);
  }, 20_000);
});

describe("the daemon's own start", () => {
  const berth = (...args: string[]) =>
    new Promise<{ code: number; stderr: string; stdout: string }>((resolve) => {
      execFile(
        path.join(__dirname, "../../bin/berth"),
        args,
        { env: environment(), timeout: 30_000 },
        (error, stdout, stderr) =>
          resolve({ code: error ? Number((error as { code?: unknown }).code) : 0, stdout, stderr }),
      );
    });

  test("a malformed configuration is refused with file, line and what was expected", async () => {
    const directory = temporaryDirectory();
    try {
      const file = path.join(directory, "config.toml");
      fs.writeFileSync(file, '# mine\nroot = "/x"\n[log]\nlevel = "loud"\n');
      const { code, stderr } = await berth("serve", "--config", file);
      expect(code).toBe(1);
      expect(stderr).toContain(`${file}:4: log.level is "loud"; expected one of "debug", "info", "warn", "error"`);
      expect(fs.existsSync("/x")).toBe(false);
    } finally {
      fs.rmSync(directory, { recursive: true });
    }
  });

  test("a missing binary is named with what to do", async () => {
    const other = testDaemon({ options: { runtime: { conmon: "/no/such/conmon" } } });
    try {
      const { code, stderr } = await berth("serve", "--config", other.configFile);
      expect(code).toBe(1);
      expect(stderr).toMatch(/conmon is missing: \/no\/such\/conmon.*install it/s);
    } finally {
      await other.remove();
    }
  });

  test("a second daemon on the same root is refused", async () => {
    const { code, stderr } = await berth("serve", "--config", daemon.configFile);
    expect(code).toBe(1);
    expect(stderr).toContain("another berthd");
    expect(await crictl.run("version")).toContain("berth");
  });

  test("config default can be read back, config dump shows what is in force, an unknown command is told", async () => {
    const { stdout } = await berth("config", "default");
    expect(stdout).toContain('# socket = "/run/berth/berth.sock"');
    expect((await berth("config", "dump", "--config", daemon.configFile)).stdout).toContain(
      `socket = ${JSON.stringify(daemon.socket)}`,
    );
    const unknown = await berth("fly");
    expect([unknown.code, unknown.stderr.split("\n")[0]]).toEqual([2, 'berth: there is no command "fly"']);
  });
});
