import { execFile, execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { busyboxEntries, SHELL } from "../../hack/images/busybox.cjs";
import { makeImage, makeLayer, ociArchive } from "../../hack/images/image.cjs";
import { DatagramReceiver } from "../../sys/datagram-receiver.fixture";
import { type TestDaemon, testDaemon } from "../support/daemon";
import { temporaryDirectory } from "../support/unique";

jest.setTimeout(300_000);

const PROJECT = path.join(__dirname, "../..");
const ARCHITECTURE = process.arch === "x64" ? "amd64" : "arm64";
const { version } = JSON.parse(fs.readFileSync(path.join(PROJECT, "package.json"), "utf8"));
const run = promisify(execFile);

/** Makes a release as `npm run release` does; its files. */
function release(out: string, umask: number): string[] {
  const before = process.umask(umask);
  try {
    execFileSync(process.execPath, [path.join(PROJECT, "hack/release/release.mjs"), "--out", out, ARCHITECTURE], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  } finally {
    process.umask(before);
  }
  return fs.readdirSync(out).sort();
}

/** A directory with all programs of the system but Node.js and npm. */
function programsWithoutNode(directory: string): string {
  fs.mkdirSync(directory);
  for (const from of ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]) {
    for (const name of fs.readdirSync(from)) {
      const link = path.join(directory, name);
      if (!/^(node|nodejs|npm|npx|corepack)$/.test(name) && !fs.existsSync(link)) {
        fs.rmSync(link, { force: true }); // one that leads nowhere
        fs.symlinkSync(path.join(from, name), link);
      }
    }
  }
  return directory;
}

describe("a release", () => {
  const directory = temporaryDirectory();
  const [first, second] = [path.join(directory, "first"), path.join(directory, "second")];
  const files = [`berth-${version}-linux-${ARCHITECTURE}.tar.gz`, `berth_${version}_${ARCHITECTURE}.deb`];
  const tarball = path.join(first, files[0]!);
  let daemon: TestDaemon | undefined;

  beforeAll(() => {
    expect(release(first, 0o022)).toEqual(files.flatMap((file) => [file, `${file}.sha256`]));
  });
  afterAll(async () => {
    await daemon?.remove();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  test("has the same bytes when it is made again, and the checksum that it tells", () => {
    release(second, 0o077);
    for (const file of files) {
      expect(fs.readFileSync(path.join(first, file)).equals(fs.readFileSync(path.join(second, file)))).toBe(true);
      expect(execFileSync("sha256sum", ["--check", `${file}.sha256`], { cwd: first, encoding: "utf8" })).toBe(
        `${file}: OK\n`,
      );
    }
  });

  test("belongs to root, whoever made it, and brings the licences of what is in it", () => {
    const listing = execFileSync("tar", ["--numeric-owner", "-tvzf", tarball], { encoding: "utf8" });
    for (const line of listing.trim().split("\n")) expect(line).toMatch(/^(-rw-r--r--|[-d]rwxr-xr-x|lrwxrwxrwx) 0\/0 /);
    const licences = execFileSync("tar", ["-xOzf", tarball, `berth-${version}/THIRD-PARTY-LICENCES.md`], {
      encoding: "utf8",
    });
    for (const name of ["node-linux-", "koffi ", "@grpc/grpc-js ", "protobufjs ", "prom-client "]) {
      expect(licences).toContain(`\n## ${name}`.slice(licences.startsWith(`## ${name}`) ? 1 : 0));
    }
  });

  test("has no switch by which steps can be made to fail, and nor has dist/", () => {
    const bundles = ["berth.js", "unpack-worker.js"].flatMap((name) => [
      execFileSync("tar", ["-xOzf", tarball, `berth-${version}/dist/${name}`], {
        encoding: "utf8",
        maxBuffer: 64 << 20,
      }),
      fs.readFileSync(path.join(PROJECT, "dist", name), "utf8"),
    ]);
    const traces = ["BERTH_FAULTS", "was asked to fail", "network-next-plugin", "PullImage.commit-sync"];
    for (const bundle of bundles) expect(traces.filter((trace) => bundle.includes(trace))).toEqual([]);
    const faulty = ["berth.js", "unpack-worker.js"].map((name) =>
      fs.readFileSync(path.join(PROJECT, "build/faulty/dist", name), "utf8"),
    );
    for (const bundle of faulty) expect(bundle).toContain("BERTH_FAULTS");
  });

  test("runs a pod on its own Node.js, with none in PATH, and tells systemd of itself", async () => {
    const elsewhere = path.join(directory, "elsewhere");
    fs.mkdirSync(elsewhere);
    execFileSync("tar", ["-C", elsewhere, "-xzf", tarball]);
    const program = path.join(elsewhere, `berth-${version}/bin/berth`);
    const receiver = new DatagramReceiver(path.join(directory, "notify"));
    const PATH = programsWithoutNode(path.join(directory, "bin"));
    await expect(run("node", ["--version"], { env: { PATH } })).rejects.toThrow("ENOENT");
    daemon = testDaemon();
    Object.assign(daemon, { program, env: { PATH, NOTIFY_SOCKET: receiver.name, WATCHDOG_USEC: "600000" } });
    try {
      await daemon.start();
      expect(fs.readlinkSync(`/proc/${daemon.child!.pid}/exe`)).toMatch(`${elsewhere}/`);

      const archive = path.join(directory, "busybox.tar");
      const layer = makeLayer(busyboxEntries("/bin/busybox"));
      const image = "docker.io/library/busybox:latest";
      fs.writeFileSync(archive, ociArchive(image, makeImage({ layers: [layer], config: SHELL })));
      const berth = (...args: string[]) => {
        const [verb, ...rest] = args;
        return run(program, [verb!, "--config", daemon!.configFile, ...rest], { env: { PATH } });
      };
      expect((await berth("import", archive)).stdout).toBe(`${image}\n`);
      expect((await berth("run", image, "sh", "-c", "echo hello; env")).stdout).toMatch(/^hello\n(?!.*NOTIFY_SOCKET)/s);

      expect(receiver.take()).toMatch(/^READY=1\nSTATUS=serves the CRI on /);
      let fed: string | undefined;
      for (let tries = 0; fed === undefined && tries < 100; tries++) {
        await sleep(50);
        fed = receiver.take();
      }
      expect(fed).toBe("WATCHDOG=1");
      await daemon.stop();
      const rest = [];
      for (let message = receiver.take(); message !== undefined; message = receiver.take()) rest.push(message);
      expect(rest.at(-1)).toMatch(/^STOPPING=1\n/);
    } finally {
      receiver.close();
    }
  });
});
