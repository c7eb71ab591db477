import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { V1Container } from "./support/kubernetes";
import { inspect, Namespace, shell, statusOf } from "./support/namespace";

let namespace: Namespace;
beforeAll(async () => {
  namespace = await Namespace.create("security");
});
afterAll(() => namespace.remove());

type SecurityContext = V1Container["securityContext"];
/** What a script prints under a container's security context. */
const printed = (name: string, securityContext: SecurityContext, script: string) =>
  namespace.outputOf(name, { containers: [shell(script, { securityContext })] });

test("user, groups and the volumes' group are the pod's", async () => {
  const text = await namespace.outputOf("user", {
    securityContext: { runAsUser: 1234, runAsGroup: 2345, fsGroup: 3456, supplementalGroups: [4567] },
    volumes: [{ name: "volume", emptyDir: {} }],
    containers: [
      shell("id -u; id -g; id -G; touch /volume/file; stat -c %g /volume/file", {
        volumeMounts: [{ name: "volume", mountPath: "/volume" }],
      }),
    ],
  });
  const [uid, gid, groups, owner] = text.trim().split("\n");
  expect([uid, gid, owner]).toEqual(["1234", "2345", "3456"]);
  expect(groups?.split(" ").sort()).toEqual(["2345", "3456", "4567"]);
});

test("the image's own user counts where the pod names none", async () => {
  const main = { ...shell("id -u"), image: "e2e/user:1000" };
  expect(await namespace.outputOf("image-user", { containers: [main] })).toBe("1000\n");
});

test("runAsNonRoot refuses an image that runs as root", async () => {
  await namespace.pod("non-root", { containers: [shell("id", { securityContext: { runAsNonRoot: true } })] });
  const pod = await namespace.until("non-root", "is refused", (one) => {
    return statusOf(one)?.state?.waiting?.reason === "CreateContainerConfigError";
  });
  expect(statusOf(pod)?.state?.waiting?.message).toMatch(/container has runAsNonRoot and image will run as root/);
});

test("capabilities are added and dropped", async () => {
  const effective = "sed -n 's/^CapEff:.//p' /proc/self/status";
  const bits = async (name: string, context: SecurityContext) =>
    BigInt(`0x${(await printed(name, context, effective)).trim()}`);
  const netAdmin = 1n << 12n;
  const chown = 1n << 0n;
  const usual = await bits("caps", {});
  expect([usual & netAdmin, usual & chown]).toEqual([0n, chown]);
  expect(await bits("caps-add", { capabilities: { add: ["NET_ADMIN"] } })).toBe(usual | netAdmin);
  expect(await bits("caps-drop", { capabilities: { drop: ["CHOWN"] } })).toBe(usual & ~chown);
  expect(await bits("caps-none", { capabilities: { drop: ["ALL"] } })).toBe(0n);
});

test("a read-only root file system cannot be written", async () => {
  const text = await printed("read-only", { readOnlyRootFilesystem: true }, "touch /x 2>&1; exit 0");
  expect(text).toBe("touch: /x: Read-only file system\n");
});

test("allowPrivilegeEscalation: false sets no_new_privs", async () => {
  const script = "sed -n 's/^NoNewPrivs:.//p' /proc/self/status";
  expect(await printed("escalate", { allowPrivilegeEscalation: true }, script)).toBe("0\n");
  expect(await printed("no-escalate", { allowPrivilegeEscalation: false }, script)).toBe("1\n");
});

test("a privileged container has the node's devices and may mount; another may not", async () => {
  const script =
    "mkdir -p /mnt; if mount -t tmpfs x /mnt 2>/dev/null; then echo mounted; else echo refused; fi; ls /dev | grep -c .";
  const devices = (text: string) => Number(text.trim().split("\n")[1]);
  const privileged = await printed("privileged", { privileged: true }, script);
  const usual = await printed("unprivileged", {}, script);
  expect(privileged).toMatch(/^mounted/);
  expect(usual).toMatch(/^refused/);
  expect(devices(privileged)).toBeGreaterThan(devices(usual));
});

test("seccomp: RuntimeDefault filters, Unconfined does not, a profile of the node's does what it says", async () => {
  const mode = "sed -n 's/^Seccomp:.//p' /proc/self/status";
  expect(await printed("seccomp", { seccompProfile: { type: "RuntimeDefault" } }, mode)).toBe("2\n");
  expect(await printed("unconfined", { seccompProfile: { type: "Unconfined" } }, mode)).toBe("0\n");
  const profile = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
  };
  fs.mkdirSync("/var/lib/kubelet/seccomp", { recursive: true });
  fs.writeFileSync("/var/lib/kubelet/seccomp/no-mkdir.json", JSON.stringify(profile));
  const own = { seccompProfile: { type: "Localhost", localhostProfile: "no-mkdir.json" } };
  expect(await printed("localhost", own, "mkdir /x 2>&1; exit 0")).toBe(
    "mkdir: can't create directory '/x': Operation not permitted\n",
  );
});

test("safe sysctls are the pod's own", async () => {
  const text = await namespace.outputOf("sysctls", {
    securityContext: { sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "81" }] },
    containers: [shell("cat /proc/sys/net/ipv4/ip_unprivileged_port_start")],
  });
  expect(text).toBe("81\n");
  expect(fs.readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8")).not.toBe("81\n");
});

test("kernel files are masked, and the kernel's settings read-only", async () => {
  const script = "cat /proc/keys /proc/timer_list 2>/dev/null | wc -c; touch /proc/sys/kernel/hostname 2>&1; exit 0";
  expect(await printed("masked", {}, script)).toBe("0\ntouch: /proc/sys/kernel/hostname: Read-only file system\n");
});

describe("user namespaces", () => {
  test("a pod's root is nobody on the node, and its volumes are its own", async () => {
    await namespace.create({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "settings" },
      data: { colour: "blue" },
    });
    const script =
      "cat /proc/self/uid_map; id -u; stat -c %u /disk /config/colour; touch /disk/file && stat -c %u /disk/file; cat /config/colour; echo; exec sleep 1000";
    const pod = await namespace.readyPod("mapped", {
      hostUsers: false,
      volumes: [
        { name: "disk", emptyDir: {} },
        { name: "config", configMap: { name: "settings" } },
      ],
      containers: [
        shell(script, {
          volumeMounts: [
            { name: "disk", mountPath: "/disk" },
            { name: "config", mountPath: "/config" },
          ],
        }),
      ],
    });
    const [map = "", ...rest] = (await namespace.log("mapped")).trimEnd().split("\n");
    const [inside, outside, length] = map.trim().split(/\s+/).map(Number);
    expect([inside, length]).toEqual([0, 65_536]);
    expect(outside).toBeGreaterThanOrEqual(65_536);
    expect(rest).toEqual(["0", "0", "0", "0", "blue"]);
    const { info } = await inspect((statusOf(pod)?.containerID ?? "").replace(/^.*:\/\//, ""));
    expect(fs.readFileSync(`/proc/${info.pid}/status`, "utf8")).toMatch(new RegExp(`^Uid:\\s+${outside}\\s`, "m"));
  });

  test("an unmasked /proc", async () => {
    const securityContext = { procMount: "Unmasked" };
    const text = await namespace.outputOf("unmasked", {
      hostUsers: false,
      containers: [shell("grep -c ' /proc/' /proc/self/mountinfo; exit 0", { securityContext })],
    });
    expect(text).toBe("0\n");
  });
});

// A reason beats a test that cannot fail.
const apparmor = "/sys/module/apparmor/parameters/enabled";
if (!fs.existsSync(apparmor) || !fs.readFileSync(apparmor, "utf8").startsWith("Y"))
  test("AppArmor and SELinux: this kernel runs without them, so a profile that is asked for is refused", async () => {
    await namespace.pod("apparmor", {
      containers: [
        shell("true", { securityContext: { appArmorProfile: { type: "Localhost", localhostProfile: "none" } } }),
      ],
    });
    const pod = await namespace.until(
      "apparmor",
      "is refused",
      (one) => one.status?.phase === "Failed" || statusOf(one)?.state?.waiting?.reason === "CreateContainerError",
    );
    expect(JSON.stringify(pod.status)).toMatch(/AppArmor/i);
  });
