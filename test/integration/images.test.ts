import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Crictl } from "../support/crictl";
import { environment, startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage, busyboxLayer, type Layer, makeImage, makeIndex, makeLayer } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";
import { skopeo } from "../support/skopeo";

/** Images of every kind, from a real registry to what a container sees of them. */
let registry: TestRegistry;
let daemon: TestDaemon;
let crictl: Crictl;

beforeAll(async () => {
  registry = await testRegistry();
  daemon = await startDaemon({ registry: registry.url });
  crictl = new Crictl(daemon);
}, 60_000);

afterAll(async () => {
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

let counter = 0;

/** What a shell script prints in a container of that image. */
async function inContainer(image: string, script: string): Promise<string> {
  const name = `p${++counter}`;
  const pod = crictl.file(`${name}.json`, { metadata: { name, namespace: "d", uid: name }, linux: {} });
  const container = crictl.file(`${name}-c.json`, {
    metadata: { name: "c" },
    image: { image },
    command: ["sleep", "1000"],
    linux: {},
  });
  const id = await crictl.run("runp", pod);
  try {
    const c = await crictl.run("create", "--no-pull", id, container, pod);
    await crictl.run("start", c);
    return await crictl.run("exec", "-s", c, "sh", "-c", script);
  } finally {
    await crictl.run("rmp", "-f", id);
  }
}

const file = (name: string, content: string | Buffer) => ({ path: name, body: content });

test("more than 100 layers, each over the one before", async () => {
  const layers: Layer[] = Array.from({ length: 120 }, (_, n) =>
    makeLayer([file(`l/${n}`, `${n}`), file("last", `${n}`), ...(n % 2 ? [file(`l/.wh.${n - 1}`, "")] : [])]),
  );
  const image = await registry.push("t/many", busyboxImage({}, ...layers));
  await crictl.run("pull", image);
  expect(await inContainer(image, "cat /last; echo; ls /l | wc -l; cat /l/119")).toBe("119\n60\n119");
}, 120_000);

test("whiteouts, opaque directories, ownership, modes and links", async () => {
  const image = await registry.push(
    "t/whiteouts",
    busyboxImage(
      {},
      makeLayer([
        { path: "d", type: "dir", mode: 0o750, uid: 7, gid: 8 },
        file("d/gone", "1"),
        file("d/kept", "1"),
        { path: "o", type: "dir" },
        file("o/old", "1"),
        { path: "s", body: "x", mode: 0o4711, uid: 1000, gid: 1001 },
        { path: "h", type: "hardlink", target: "s" },
        { path: "y", type: "symlink", target: "d/kept" },
      ]),
      makeLayer([file("d/.wh.gone", ""), file("o/.wh..wh..opq", ""), file("o/new", "2")]),
    ),
  );
  await crictl.run("pull", image);
  const seen = await inContainer(image, "ls /d /o; stat -c '%a %u %g' /s /d; stat -c %h /s; readlink /y; cat /y");
  expect(seen).toBe("/d:\nkept\n\n/o:\nnew\n4711 1000 1001\n750 7 8\n2\nd/kept\n1");
});

test("300 MiB", async () => {
  const chunk = randomBytes(1 << 20);
  const layer = makeLayer([file("big", Buffer.concat(Array.from({ length: 300 }, () => chunk)))], "none");
  const image = await registry.push("t/big", busyboxImage({}, layer));
  await crictl.run("pull", image);
  const sum = execFileSync("sh", ["-c", "sha256sum | cut -c1-64"], {
    input: Buffer.concat(Array.from({ length: 300 }, () => chunk)),
    maxBuffer: 1 << 20,
  });
  expect(await inContainer(image, "sha256sum /big | cut -c1-64")).toBe(sum.toString().trim());
}, 120_000);

test("zstd layers", async () => {
  const image = await registry.push(
    "t/zstd",
    makeImage({ layers: [busyboxLayer("zstd"), makeLayer([file("z", "zstd")], "zstd")] }),
  );
  await crictl.run("pull", image);
  expect(await inContainer(image, "cat /z")).toBe("zstd");
});

test("a docker schema 2 index: this machine's platform is chosen, by tag and by digest", async () => {
  const of = (architecture: string) =>
    makeImage({ layers: [busyboxLayer(), makeLayer([file("arch", architecture)])], flavour: "docker", architecture });
  const own = process.arch === "arm64" ? "arm64" : "amd64";
  const index = makeIndex([of("s390x"), of(own), of("ppc64le")]);
  const image = await registry.push("t/index", index);
  await crictl.run("pull", image);
  expect(await inContainer(image, "cat /arch")).toBe(own);
  const byDigest = `${image.replace(/:latest$/, "")}@${index.digest}`;
  const { status } = await crictl.json<{ status: { id: string } }>("inspecti", image);
  await crictl.run("rmi", image);
  await crictl.run("pull", byDigest);
  const again = await crictl.json<{ status: { id: string; repoTags: string[]; repoDigests: string[] } }>(
    "inspecti",
    byDigest,
  );
  expect(again.status.id).toBe(status.id);
  expect(again.status.repoTags ?? []).toEqual([]);
  expect(again.status.repoDigests).toEqual([byDigest]);
});

test("many pulls of one image at once share one download, and all give the same ID", async () => {
  const image = await registry.push("t/shared", busyboxImage({}, makeLayer([file("r", randomBytes(4 << 20))])));
  const ids = await Promise.all(Array.from({ length: 8 }, () => crictl.run("pull", image)));
  expect(new Set(ids).size).toBe(1);
});

test("what no image needs is gone after rmi", async () => {
  const before = fs.readdirSync(path.join(daemon.root, "layers")).length;
  const image = await registry.push("t/once", busyboxImage({}, makeLayer([file("once", randomBytes(1000))])));
  await crictl.run("pull", image);
  await crictl.run("rmi", image);
  for (let i = 0; i < 100 && fs.readdirSync(path.join(daemon.root, "layers")).length > before; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(fs.readdirSync(path.join(daemon.root, "layers")).length).toBe(before);
});

test("an image goes out as an archive that skopeo reads, and comes back the same", async () => {
  const image = await registry.push("t/archive", busyboxImage({ Env: ["X=1"] }, makeLayer([file("a", "archived")])));
  await crictl.run("pull", image);
  const berth = (...args: string[]) =>
    execFileSync(path.join(__dirname, "../../bin/berth"), args, { env: environment(), encoding: "utf8" });
  const config = ["--config", daemon.configFile];
  const out = path.join(daemon.directory, "image.tar");
  berth("export", ...config, image, out);
  const { status } = await crictl.json<{ status: { id: string } }>("inspecti", image);
  for (const kind of ["oci-archive", "docker-archive"]) {
    const inspected = JSON.parse(skopeo("inspect", "--config", "--raw", `${kind}:${out}`));
    expect(inspected.config.Env).toContain("X=1");
  }
  const copied = path.join(daemon.directory, "docker.tar");
  skopeo("copy", "-q", `oci-archive:${out}`, `docker-archive:${copied}:example.org/back:v1`);
  await crictl.run("rmi", image);
  expect(berth("import", ...config, out).trim()).toBe(image);
  expect((await crictl.json<{ status: { id: string } }>("inspecti", image)).status.id).toBe(status.id);
  expect(
    berth("import", ...config, copied)
      .trim()
      .split("\n"),
  ).toContain("example.org/back:v1");
  expect(await inContainer("example.org/back:v1", "cat /a")).toBe("archived");
}, 60_000);
