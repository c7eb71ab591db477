import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "./support/eventually";
import { apps, batch, core } from "./support/kubernetes";
import { BUSYBOX, BUSYBOX_2, idle, Namespace, shell } from "./support/namespace";

let namespace: Namespace;
beforeAll(async () => {
  namespace = await Namespace.create("workloads");
});
afterAll(() => namespace.remove());

test("a Deployment rolls to a new image and back, and a Service answers all the time", async () => {
  const labels = { app: "web" };
  const container = {
    ...shell("exec httpd -f -p 8080 -h /etc"),
    ports: [{ containerPort: 8080 }],
    readinessProbe: { httpGet: { path: "/version", port: 8080 }, periodSeconds: 1 },
    // Until every proxy has heard that it goes.
    lifecycle: { preStop: { sleep: { seconds: 4 } } },
  };
  const name = "web";
  await namespace.create({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 10, containers: [container] } },
    },
  });
  await namespace.create({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
  });
  await namespace.kubectl("rollout", "status", "deployment/web", "--timeout=170s");
  const service = await core.readNamespacedService({ name, namespace: namespace.name });
  const ask = async () =>
    (
      await (await fetch(`http://${service.spec?.clusterIP}/version`, { headers: { connection: "close" } })).text()
    ).trim();
  await eventually("the Service answers", ask, (version) => version === "1");

  const seen = new Set<string>();
  let asking = true;
  const watch = (async () => {
    for (; asking; await sleep(100)) seen.add(await ask());
  })();
  watch.catch(() => {}); // told below
  await namespace.kubectl("set", "image", "deployment/web", `main=${BUSYBOX_2}`);
  await namespace.kubectl("rollout", "status", "deployment/web", "--timeout=170s");
  await eventually(
    "version 2 answers alone",
    () => Promise.all([ask(), ask(), ask(), ask()]),
    (all) => all.every((one) => one === "2"),
  );
  await namespace.kubectl("rollout", "undo", "deployment/web");
  await namespace.kubectl("rollout", "status", "deployment/web", "--timeout=170s");
  await eventually(
    "version 1 answers alone",
    () => Promise.all([ask(), ask(), ask(), ask()]),
    (all) => all.every((one) => one === "1"),
  );
  asking = false;
  await watch;
  expect([...seen].sort()).toEqual(["1", "2"]);
  const { spec } = await apps.readNamespacedDeployment({ name, namespace: namespace.name });
  expect(spec?.template.spec?.containers[0]?.image).toBe(BUSYBOX);
});

test("a Job runs each of its indexes once, and one that fails gives up after its retries", async () => {
  const job = (name: string, spec: Record<string, unknown>, script: string) => ({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name },
    spec: { ...spec, template: { spec: { restartPolicy: "Never", containers: [shell(script)] } } },
  });
  await namespace.create(
    job("count", { completions: 4, parallelism: 2, completionMode: "Indexed" }, "echo index $JOB_COMPLETION_INDEX"),
  );
  await namespace.create(job("fail", { backoffLimit: 1 }, "exit 3"));
  const read = (name: string) => batch.readNamespacedJob({ name, namespace: namespace.name });
  const is = (type: string) => (one: Awaited<ReturnType<typeof read>>) =>
    one.status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;

  const count = await eventually("the Job completes", () => read("count"), is("Complete"));
  expect(count.status).toMatchObject({ succeeded: 4, completedIndexes: "0-3" });
  const logs = await namespace.kubectl("logs", "--selector=job-name=count", "--tail=-1");
  expect(logs.trim().split("\n").sort()).toEqual([0, 1, 2, 3].map((n) => `index ${n}`));

  const failed = await eventually("the Job fails", () => read("fail"), is("Failed"));
  expect(failed.status).toMatchObject({ failed: 2 });
  expect(failed.status?.conditions?.find(({ type }) => type === "Failed")?.reason).toBe("BackoffLimitExceeded");
});

test("a DaemonSet has a pod on the node, and replaces it by its successor", async () => {
  const labels = { app: "agent" };
  const name = "agent";
  await namespace.create({
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 2, containers: [idle()] } },
    },
  });
  const read = () => apps.readNamespacedDaemonSet({ name, namespace: namespace.name });
  await eventually("its pod is ready", read, ({ status }) => status?.numberReady === 1);
  await namespace.kubectl("set", "image", "daemonset/agent", `main=${BUSYBOX_2}`);
  await eventually(
    "its pod is replaced",
    read,
    ({ status, metadata }) =>
      status?.observedGeneration === metadata?.generation &&
      status?.updatedNumberScheduled === 1 &&
      status.numberReady === 1,
  );
  expect((await namespace.kubectl("exec", "daemonset/agent", "--", "cat", "/etc/version")).trim()).toBe("2");
});

test("a StatefulSet's pod keeps its name when it comes again", async () => {
  const labels = { app: "store" };
  await namespace.create({
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "store" },
    spec: {
      replicas: 1,
      serviceName: "store",
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 2, containers: [idle()] } },
    },
  });
  const before = await namespace.ready("store-0");
  await namespace.delete("store-0");
  const after = await namespace.until(
    "store-0",
    "is another",
    ({ metadata }) => metadata?.uid !== before.metadata?.uid,
  );
  expect(after.metadata?.name).toBe("store-0");
  await namespace.ready("store-0");
  expect((await namespace.exec("store-0", "hostname")).trim()).toBe("store-0");
});
