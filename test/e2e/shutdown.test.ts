import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { NODE } from "../../hack/cluster/node.cjs";
import { pidOf, readServiceLog } from "../../hack/cluster/services.cjs";
import { eventually } from "./support/eventually";
import { core } from "./support/kubernetes";
import { Namespace, shell, statusOf } from "./support/namespace";

let namespace: Namespace;
beforeAll(async () => {
  namespace = await Namespace.create("shutdown");
});
afterAll(() => namespace.remove());

/** The stand-in for logind (hack/cluster/logind.py). */
const tellLogind = (signal: NodeJS.Signals) => process.kill(pidOf("logind") ?? 0, signal);

const logind = () => readServiceLog("logind").trim().split("\n");

const readyCondition = async () => {
  const node = await core.readNode({ name: NODE.name });
  return node.status?.conditions?.find(({ type }) => type === "Ready");
};

test("before the node shuts down its pods are asked to end, and the shutdown waits for them", async () => {
  await eventually("the kubelet holds shutdowns up", logind, (lines) =>
    /^held up by kubelet: shutdown, delay/.test(lines.at(-1) ?? ""),
  );
  await namespace.readyPod("ends", {
    terminationGracePeriodSeconds: 15,
    containers: [shell('trap "sleep 2; echo put away; exit 0" TERM; while :; do sleep 1 & wait $!; done')],
  });
  tellLogind("SIGUSR1");
  try {
    const pod = await namespace.ended("ends");
    const disruption = pod.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
    expect(disruption?.message).toMatch(/imminent node shutdown/);
    expect(statusOf(pod)?.state?.terminated?.exitCode).toBe(0);
    await eventually("the shutdown is let go", logind, (lines) => lines.at(-1) === "let go by kubelet");
    await eventually("the node says why it is not ready", readyCondition, (one) =>
      Boolean(one?.status === "False" && one.message?.includes("node is shutting down")),
    );
  } finally {
    tellLogind("SIGUSR2");
  }
  await eventually("the node is Ready again", readyCondition, (one) => one?.status === "True");
});
