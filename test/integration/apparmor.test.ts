import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Init, LinuxContainerSecurityContext } from "../../api/messages";
import { Client } from "../../cri/client/client";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { ended, runPod, shell, type TestPod } from "../support/test-pod";
import { type TestRegistry, testRegistry } from "../support/registry";

/** The default profile as the kernel enforces it. */
const enabled = () => {
  try {
    return fs.readFileSync("/sys/module/apparmor/parameters/enabled", "utf8").startsWith("Y");
  } catch {
    return false;
  }
};
if (!enabled()) console.warn("the tests of AppArmor are skipped: this kernel has none, or it is off");

(enabled() ? describe : describe.skip)("AppArmor", () => {
  let registry: TestRegistry;
  let daemon: TestDaemon;
  let client: Client;
  let pod: TestPod;
  let counter = 0;

  beforeAll(async () => {
    registry = await testRegistry();
    const image = await registry.push("test/busybox", busyboxImage());
    daemon = await startDaemon({ registry: registry.url });
    client = new Client(daemon.socket);
    await client.image("PullImage", { image: { image } });
    pod = await runPod(client, { name: "confined", image, linux: { securityContext: { privileged: true } } });
  }, 120_000);

  afterAll(async () => {
    client?.close();
    await daemon?.remove();
    await registry?.stop();
  }, 60_000);

  const run = (securityContext: Init<LinuxContainerSecurityContext>, command = ["sleep", "1000"]) =>
    pod.run(`c-${++counter}`, command, { securityContext });
  const label = (id: string) => shell(client, id, "cat /proc/self/attr/current; cat /proc/1/attr/current");

  test("the profile is in the kernel once the daemon runs, and the daemon complains of nothing", () => {
    const profiles = fs.readFileSync("/sys/kernel/security/apparmor/profiles", "utf8");
    expect(profiles).toContain("berth-default (enforce)\n");
    expect(daemon.readLog()).not.toMatch(/AppArmor/);
  });

  test("a container has it, with its exec sessions, unless privileged or told otherwise", async () => {
    // where the distribution gives the runtime a label of its own, no_new_privs keeps that beside ours
    const default_ = /^(berth-default(\/\/&c?runc? \(mixed\)| \(enforce\))\n?){2}$/;
    expect(await label(await run({}))).toMatch(default_);
    expect(await label(await run({ apparmor: { profileType: 0, localhostRef: "" } }))).toMatch(default_);
    expect(await label(await run({ apparmorProfile: "runtime/default", noNewPrivs: true }))).toMatch(default_);
    expect(await label(await run({ apparmorProfile: "unconfined" }))).toBe("unconfined\nunconfined");
    expect(await label(await run({ privileged: true }))).toMatch(/^((c?runc? \()?unconfined\)?\n?){2}$/);
    const asked = { privileged: true, apparmor: { profileType: 2, localhostRef: "berth-default" } };
    expect(await label(await run(asked))).toMatch(default_);
  }, 60_000);

  test("its processes signal one another, and are stopped from outside", async () => {
    const id = await run({}, ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"]);
    expect(await shell(client, id, "sleep 100 & kill -0 $! && kill $!; wait $!; echo $?")).toBe("143");
    await client.runtime("StopContainer", { containerId: id, timeout: 30n });
    expect(await ended(client, id)).toMatchObject({ exitCode: 7 });
  }, 60_000);

  test("what reaches the whole host is denied, whatever the capabilities; what is the pod's is not", async () => {
    const capabilities = { addCapabilities: ["ALL"] };
    const rewrite = (file: string) => `(cat ${file} > ${file}) 2>&1 && echo written`;
    const script = (words: string) => `${words}; true`;
    const confined = await run({ capabilities });
    const free = await run({ capabilities, apparmorProfile: "unconfined" });
    const attempts = {
      mount: "mount -t tmpfs none /mnt 2>&1 && echo written",
      swappiness: rewrite("/proc/sys/vm/swappiness"),
      "core pattern": rewrite("/proc/sys/kernel/core_pattern"),
    };
    for (const [what, words] of Object.entries(attempts)) {
      await shell(client, free, "mkdir -p /mnt");
      await shell(client, confined, "mkdir -p /mnt");
      expect([what, await shell(client, free, script(words))]).toEqual([what, "written"]);
      const denied = await shell(client, confined, script(words));
      expect([what, denied]).toEqual([what, expect.stringMatching(/denied|not permitted/i)]);
    }
    for (const file of ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shmmax", "/proc/sys/kernel/msgmax"])
      expect([file, await shell(client, confined, script(rewrite(file)))]).toEqual([file, "written"]);
    expect(await shell(client, confined, "echo 1 > /tmp/x; chmod 700 /tmp/x; ln -s x /tmp/y; cat /tmp/y")).toBe("1");
  }, 60_000);
});
