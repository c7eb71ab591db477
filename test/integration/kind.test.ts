import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { temporaryDirectory } from "../support/unique";

const MANIFESTS = path.join(__dirname, "../../manifests");
const KIND = path.join(MANIFESTS, "kind");
const read = (file: string) => fs.readFileSync(file, "utf8");

/** What kind's node image has of the files that change, by its images/base. */
const kindFiles = {
  "etc/default/kubelet": "KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/containerd.service\n",
  "etc/crictl.yaml": "runtime-endpoint: unix:///run/containerd/containerd.sock\n",
  "etc/containerd/config.toml": "version = 2\n",
  "etc/systemd/system/containerd.service": "[Service]\nExecStart=/usr/local/bin/containerd\n",
  "etc/systemd/system/kubelet.service.d/10-kubeadm.conf": "[Service]\nEnvironmentFile=-/etc/default/kubelet\n",
};
const wants = "etc/systemd/system/multi-user.target.wants";

describe("prepare-node.sh on a tree as kind's node image has it", () => {
  const root = temporaryDirectory();
  const at = (file: string) => path.join(root, file);
  const prepare = () => execFileSync("bash", [path.join(KIND, "prepare-node.sh"), KIND, `${root}/`], { stdio: "pipe" });

  beforeAll(() => {
    for (const [file, text] of Object.entries(kindFiles)) {
      fs.mkdirSync(path.dirname(at(file)), { recursive: true });
      fs.writeFileSync(at(file), text);
    }
    for (const directory of [wants, "opt/berth-0.1.0", "usr/local/bin"])
      fs.mkdirSync(at(directory), { recursive: true });
    fs.symlinkSync("../containerd.service", at(`${wants}/containerd.service`));
    fs.symlinkSync("../kubelet.service", at(`${wants}/kubelet.service`));
    fs.cpSync(MANIFESTS, at("opt/berth-0.1.0/manifests"), { recursive: true });
    prepare();
  });
  afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

  test("Berth and its images' import start with the machine, containerd does not and stays installed", () => {
    expect(fs.readdirSync(at(wants)).sort()).toEqual(["berth-images.service", "berth.service", "kubelet.service"]);
    for (const unit of ["berth", "berth-images"])
      expect(fs.realpathSync(at(`${wants}/${unit}.service`))).toBe(at(`etc/systemd/system/${unit}.service`)); // prettier-ignore
    for (const file of ["etc/containerd/config.toml", "etc/systemd/system/containerd.service"] as const) {
      expect(read(at(file))).toBe(kindFiles[file]);
    }
  });

  test("crictl and the kubelet are pointed at Berth", () => {
    expect(parse(read(at("etc/crictl.yaml")))).toMatchObject({ "runtime-endpoint": "unix:///run/berth/berth.sock" });
    expect(read(at("etc/default/kubelet"))).toBe("KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/berth.service\n");
    expect(read(at("etc/systemd/system/kubelet.service.d/20-berth.conf"))).toContain("After=berth.service");
    expect(read(at("etc/systemd/system/kubelet.service.d/10-kubeadm.conf"))).toBe(
      kindFiles["etc/systemd/system/kubelet.service.d/10-kubeadm.conf"],
    );
  });

  test("what the units start is where the release lies", () => {
    expect(fs.readlinkSync(at("opt/berth"))).toBe("berth-0.1.0");
    expect(fs.readlinkSync(at("usr/local/bin/berth"))).toBe("/opt/berth/bin/berth");
    expect(read(at("etc/systemd/system/berth.service"))).toContain("ExecStart=/opt/berth/bin/berth serve");
    expect(read(at("etc/systemd/system/berth-images.service"))).toContain("ExecStart=/usr/local/bin/berth import");
  });

  test("a second time changes nothing, and a kubelet that is not kind's is refused", () => {
    const before = fs.readdirSync(root, { recursive: true }).sort();
    prepare();
    expect(fs.readdirSync(root, { recursive: true }).sort()).toEqual(before);
    fs.writeFileSync(at("etc/default/kubelet"), "KUBELET_EXTRA_ARGS=\n");
    expect(prepare).toThrow("is not as kind's images have it");
  });
});

test("kind.yaml's patches change criSocket for init and join, and nothing else of kind's configuration", () => {
  const nodeRegistration = {
    criSocket: "unix:///run/containerd/containerd.sock",
    kubeletExtraArgs: [{ name: "node-ip", value: "172.18.0.2" }],
  };
  const kinds = ["ClusterConfiguration", "InitConfiguration", "JoinConfiguration"];
  const generated = kinds.map((kind) => ({
    apiVersion: "kubeadm.k8s.io/v1beta4",
    kind,
    ...(kind === "ClusterConfiguration" ? { kubernetesVersion: "v1.36.0" } : { nodeRegistration }),
  }));
  const cluster = parse(read(path.join(KIND, "kind.yaml")));
  expect(cluster).toMatchObject({ kind: "Cluster", apiVersion: "kind.x-k8s.io/v1alpha4" });
  const patches = cluster.kubeadmConfigPatches.flatMap((text: string) =>
    parseAllDocuments(text).map((one) => one.toJS()),
  );
  const patched = generated.map((document) =>
    patches.filter(({ kind }: { kind: string }) => kind === document.kind).reduce(mergePatch, document),
  );
  const expected = { ...nodeRegistration, criSocket: "unix:///run/berth/berth.sock" };
  expect(patched).toEqual([
    generated[0],
    { ...generated[1], nodeRegistration: expected },
    { ...generated[2], nodeRegistration: expected },
  ]); // prettier-ignore
});

/** RFC 7396, as kind lays patches over its configuration. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const merged = { ...(target as Record<string, unknown>) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

test.each(["kind/prepare-node.sh", "minikube/switch-node.sh", "installer/install-on-host.sh"])(
  "%s is a script that bash can read",
  (file) => {
    expect(execFileSync("bash", ["-n", path.join(MANIFESTS, file)], { encoding: "utf8" })).toBe("");
  },
);
