import { berthEndpoint, containerdEndpoint, FakeNode } from "./fake-node.fixture";
import { installNode } from "./install";
import { uninstallNode } from "./uninstall";
import { verifyNode } from "./verify";

const flags = "/var/lib/kubelet/kubeadm-flags.env";
const problems = async (node: FakeNode) =>
  (await verifyNode(node.parts(), node.options)).filter(({ problem }) => problem !== undefined);

async function installed(): Promise<FakeNode> {
  const node = new FakeNode();
  await installNode(node.parts(), node.options);
  node.steps = [];
  node.said = [];
  return node;
}

describe("installNode()", () => {
  test("switches a kubeadm node in an order that loses nothing", async () => {
    const node = new FakeNode();
    await installNode(node.parts(), node.options);
    expect(node.files[flags]).toContain(berthEndpoint);
    expect(node.files["/etc/crictl.yaml"]).toContain(berthEndpoint);
    expect(node.files["/etc/systemd/system/berth.service"]).toContain(`ExecStart=${node.options.release}/bin/berth`);
    expect(node.pods[containerdEndpoint]).toBe(0);
    expect(node).toMatchObject({ unschedulable: false, criSocket: berthEndpoint });
    expect(node.runtimeClasses).toEqual(["gvisor", "crun", "runc"]);
    const order = [
      "systemctl enable --now berth.service",
      "kubectl cordon node-1",
      "systemctl stop kubelet",
      `end pods of ${containerdEndpoint}`,
      `write ${flags}`,
      "systemctl restart kubelet",
      "kubectl annotate",
      "kubectl apply",
      "kubectl uncordon node-1",
    ].map((what) => node.steps.findIndex((step) => step.startsWith(what)));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order).not.toContain(-1);
    expect(await problems(node)).toEqual([]);
  });

  test("changes nothing the second time", async () => {
    const node = await installed();
    const before = node.picture();
    await installNode(node.parts(), node.options);
    expect(node.picture()).toEqual(before);
    expect(node.steps).toEqual(["systemctl daemon-reload", "systemctl enable"].map(expect.stringContaining));
    expect(node.said).toContain("the kubelet uses Berth already");
  });

  test("drains where it is asked to, and leaves a node cordoned that was", async () => {
    const node = new FakeNode();
    node.unschedulable = true;
    node.options.drain = true;
    await installNode(node.parts(), node.options);
    expect(node.steps.some((step) => step.startsWith("kubectl drain node-1 --ignore-daemonsets"))).toBe(true);
    expect(node.unschedulable).toBe(true);
  });

  test("puts everything back, whichever step fails", async () => {
    const whole = new FakeNode();
    await installNode(whole.parts(), whole.options);
    expect(whole.steps.length).toBeGreaterThan(10);
    for (let failAt = 1; failAt <= whole.steps.length; failAt++) {
      const node = new FakeNode();
      const before = node.picture();
      node.failAt = failAt;
      const outcome = installNode(node.parts(), node.options);
      await expect(outcome).rejects.toThrow(new RegExp(`^install: step ${failAt} fails: .*; all is as it was$`, "s"));
      expect({ failAt, ...node.picture() }).toEqual({ failAt, ...before });
    }
  });
});

test("a Berth that ran before an installation failed runs after it", async () => {
  const node = new FakeNode();
  for (const set of [node.active, node.enabled]) set.add("berth.service");
  const before = node.picture();
  node.failAt = 6;
  await expect(installNode(node.parts(), node.options)).rejects.toThrow("all is as it was");
  expect(node.picture()).toEqual(before);
});

describe("uninstallNode()", () => {
  test("goes back to what was there, and is done the second time", async () => {
    const before = new FakeNode().picture();
    const node = await installed();
    await uninstallNode(node.parts(), node.options);
    expect(node.picture()).toEqual(before);
    expect(node.steps.indexOf(`end pods of ${berthEndpoint}`)).toBeLessThan(
      node.steps.indexOf("systemctl disable --now berth.service"),
    );
    node.steps = [];
    await uninstallNode(node.parts(), node.options);
    expect(node.steps).toEqual([]);
  });

  test("can be called again where it failed", async () => {
    const before = new FakeNode().picture();
    const whole = await installed();
    await uninstallNode(whole.parts(), whole.options);
    for (let failAt = 1; failAt <= whole.steps.length; failAt++) {
      const node = await installed();
      node.failAt = failAt;
      await expect(uninstallNode(node.parts(), node.options)).rejects.toThrow(`step ${failAt} fails`);
      node.failAt = Number.POSITIVE_INFINITY;
      await uninstallNode(node.parts(), node.options);
      expect({ failAt, ...node.picture() }).toEqual({ failAt, ...before });
    }
  });

  test("removes what somebody has copied from the release by hand, and leaves what is not as it is there", async () => {
    const copied = (await installed()).files;
    const node = new FakeNode();
    for (const file of ["/etc/crictl.yaml", "/etc/systemd/system/berth.service"]) node.files[file] = copied[file]!;
    await installNode(node.parts(), node.options);
    node.files["/etc/systemd/system/berth.service"] += "# ours\n";
    await uninstallNode(node.parts(), node.options);
    expect(node.files["/etc/crictl.yaml"]).toBeUndefined();
    expect(node.files["/etc/systemd/system/berth.service"]).toContain("# ours");
  });

  test("leaves RuntimeClasses that another node's Berth uses", async () => {
    const node = await installed();
    node.elsewhere = "berth://0.1.0";
    await uninstallNode(node.parts(), node.options);
    expect(node.runtimeClasses).toEqual(["gvisor", "crun", "runc"]);
  });

  test("refuses where the kubelet has used Berth from the first", async () => {
    const node = new FakeNode();
    node.files[flags] = node.files[flags]!.replace(containerdEndpoint, berthEndpoint);
    node.containerRuntimeVersion = "berth://0.1.0";
    await installNode(node.parts(), node.options);
    const before = node.picture();
    await expect(uninstallNode(node.parts(), node.options)).rejects.toThrow("did not make it so");
    expect(node.picture()).toEqual(before);
  });

  test("refuses where it does not know what was there", async () => {
    const node = await installed();
    delete node.files["/etc/berth/before/install.json"];
    await expect(uninstallNode(node.parts(), node.options)).rejects.toThrow("did not make it so");
  });
});

test("verifyNode() tells of each thing that is not so", async () => {
  const node = await installed();
  node.active.delete("kubelet");
  node.files[flags] = node.files[flags]!.replace(berthEndpoint, containerdEndpoint);
  node.runtimeClasses = ["crun"];
  node.containerRuntimeVersion = "containerd://2.3.4";
  expect(await problems(node)).toEqual([
    { what: "the kubelet's files name Berth", problem: containerdEndpoint },
    { what: "the kubelet is well", problem: "its healthz port says no" },
    { what: "the node's containerRuntimeVersion is Berth's", problem: "containerd://2.3.4" },
    { what: "the RuntimeClasses are there", problem: "missing: runc" },
  ]);
});
