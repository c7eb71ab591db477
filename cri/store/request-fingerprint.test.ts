import { codec } from "../../api/messages";
import { containerFingerprint, podFingerprint } from "./request-fingerprint";

const pod = (labels: Record<string, string>) =>
  codec("PodSandboxConfig").decode(codec("PodSandboxConfig").encode({ metadata: { name: "p" }, labels }));

type Config = Parameters<ReturnType<typeof codec<"ContainerConfig">>["encode"]>[0];
const container = (init: Config) => codec("ContainerConfig").decode(codec("ContainerConfig").encode(init));

test("podFingerprint() is the same when only the order within a map differs", () => {
  expect(podFingerprint(pod({ a: "1", b: "2" }), "crun")).toBe(podFingerprint(pod({ b: "2", a: "1" }), "crun"));
  expect(podFingerprint(pod({ a: "1" }), "crun")).not.toBe(podFingerprint(pod({ a: "2" }), "crun"));
  expect(podFingerprint(pod({ a: "1" }), "crun")).not.toBe(podFingerprint(pod({ a: "1" }), "runc"));
});

test("containerFingerprint() is the same when the kubelet tries again", () => {
  const envs = ["A", "B"].map((key) => ({ key, value: Buffer.from(key) }));
  const mount = (tag: string) => ({ containerPath: "/dev/termination-log", hostPath: `/var/lib/x/${tag}` });
  const first = container({ envs, mounts: [mount("1")], command: ["a", "b"] });
  const again = container({ envs: envs.toReversed(), mounts: [mount("2")], command: ["a", "b"] });
  expect(containerFingerprint(again)).toBe(containerFingerprint(first));
});

test.each<[string, Config]>([
  ["the command", { command: ["b", "a"] }],
  ["a variable", { command: ["a", "b"], envs: [{ key: "A", value: Buffer.from("1") }] }],
  ["a mount's place", { command: ["a", "b"], mounts: [{ containerPath: "/x", hostPath: "/y" }] }],
  ["a limit", { command: ["a", "b"], linux: { resources: { memoryLimitInBytes: 5n } } }],
])("containerFingerprint() differs when %s differs", (_, other) => {
  expect(containerFingerprint(container(other))).not.toBe(containerFingerprint(container({ command: ["a", "b"] })));
});
