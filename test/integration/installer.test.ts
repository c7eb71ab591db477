import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { temporaryDirectory } from "../support/unique";

const SCRIPT = path.join(__dirname, "../../manifests/installer/install-on-host.sh");

/** The DaemonSet's script, with stand-ins for what would reach out of its container: nsenter(1), and sleep(1). */
describe("install-on-host.sh", () => {
  const directory = temporaryDirectory();
  const at = (name: string) => path.join(directory, name);
  const calls = () => fs.readFileSync(at("calls"), "utf8").trim().split("\n");

  const run = (options: { verifies: boolean }) => {
    fs.rmSync(at("calls"), { force: true });
    const env = {
      PATH: `${at("bin")}:${process.env["PATH"]}`,
      HOST: at("host"),
      RELEASE: at("release"),
      NODE: "node-1",
      CALLS: at("calls"),
      VERIFIES: options.verifies ? "0" : "1",
    };
    return spawnSync("bash", [SCRIPT], { env, encoding: "utf8" });
  };

  beforeAll(() => {
    for (const name of ["bin", "host/opt", "release/berth-0.1.0/bin"]) fs.mkdirSync(at(name), { recursive: true });
    fs.writeFileSync(at("release/berth-0.1.0/bin/berth"), "#!/bin/sh\n", { mode: 0o755 });
    fs.writeFileSync(at("release/kubectl"), "#!/bin/sh\n", { mode: 0o755 });
    const record = '#!/bin/sh\necho "$(basename "$0") $*" >>"$CALLS"\n';
    fs.writeFileSync(at("bin/nsenter"), `${record}case "$*" in *"node verify"*) exit "$VERIFIES" ;; esac\n`, {
      mode: 0o755,
    });
    fs.writeFileSync(at("bin/sleep"), record, { mode: 0o755 });
  });
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

  test("puts the release and kubectl on the host, and installs in a service that outlives the pod", () => {
    expect(run({ verifies: false }).status).toBe(1);
    expect(fs.readlinkSync(at("host/opt/berth"))).toBe("berth-0.1.0");
    expect(fs.readdirSync(at("host/opt")).sort()).toEqual(["berth", "berth-0.1.0"]);
    expect(fs.statSync(at("host/opt/berth/libexec/kubectl")).mode & 0o111).toBe(0o111);
    expect(calls()).toEqual([
      expect.stringMatching(
        /^nsenter --target 1 --mount .* -- env PATH=\S+ \/opt\/berth\/bin\/berth node verify --node node-1$/,
      ),
      expect.stringMatching(
        /^nsenter .* -- systemd-run .*--unit=berth-node-install .*berth node install --node node-1$/,
      ),
      "sleep 600",
    ]); // prettier-ignore
  });

  test("only waits where the node is on Berth already, and leaves the release as it is", () => {
    fs.writeFileSync(at("host/opt/berth-0.1.0/mark"), "");
    expect(run({ verifies: true }).status).toBe(0);
    expect(calls()).toEqual([expect.stringContaining("node verify"), "sleep infinity"]);
    expect(fs.existsSync(at("host/opt/berth-0.1.0/mark"))).toBe(true);
  });
});
