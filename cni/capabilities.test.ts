import { capabilityArgs, checkPodCidrs, type PodTraits, runtimeConfig } from "./capabilities";

const pod = (more: Partial<PodTraits>): PodTraits => ({ annotations: {}, portMappings: [], ...more });
const port = { protocol: 0, containerPort: 80, hostPort: 8080, hostIp: "" };

test("capabilityArgs() maps ports in lower case and leaves host port 0 out", () => {
  const portMappings = [port, { ...port, protocol: 1, hostIp: "127.0.0.1" }, { ...port, hostPort: 0 }];
  expect(capabilityArgs(pod({ portMappings }), [])).toEqual({
    portMappings: [
      { hostPort: 8080, containerPort: 80, protocol: "tcp" },
      { hostPort: 8080, containerPort: 80, protocol: "udp", hostIP: "127.0.0.1" },
    ],
  });
});

test("capabilityArgs() turns bandwidth annotations into bits a second", () => {
  const annotations = { "kubernetes.io/ingress-bandwidth": "10M" };
  expect(capabilityArgs(pod({ annotations }), [])).toEqual({
    bandwidth: { ingressRate: 10_000_000, ingressBurst: 4294967295 },
    podAnnotations: annotations,
    "io.kubernetes.cri.pod-annotations": annotations,
  });
});

test("capabilityArgs() hands on dns, ranges and the cgroup", () => {
  const dns = { servers: ["1.1.1.1"], searches: ["a"], options: ["ndots:5"] };
  expect(capabilityArgs(pod({ dns, cgroupPath: "/kubepods/x" }), ["10.0.0.0/24", "fd00::/64"])).toEqual({
    dns,
    cgroupPath: "/kubepods/x",
    ipRanges: [[{ subnet: "10.0.0.0/24" }], [{ subnet: "fd00::/64" }]],
  });
});

test.each<[Partial<PodTraits>, string]>([
  [{ portMappings: [{ ...port, protocol: 3 }] }, "protocol 3"],
  [{ portMappings: [{ ...port, hostPort: 70000 }] }, "70000 is not a port"],
  [{ portMappings: [{ ...port, containerPort: 0 }] }, "0 is not a port"],
  [{ portMappings: [{ ...port, hostIp: "localhost" }] }, 'host IP "localhost" is not an address'],
  [{ annotations: { "kubernetes.io/egress-bandwidth": "1" } }, "not between 1k and 1P"],
  [{ annotations: { "kubernetes.io/egress-bandwidth": "fast" } }, "annotation kubernetes.io/egress-bandwidth"],
])("capabilityArgs() refuses %j", (more, message) => {
  expect(() => capabilityArgs(pod(more), [])).toThrow(message);
});

test("runtimeConfig() gives a plugin what it declares and nothing else", () => {
  const args = { portMappings: [1], bandwidth: {}, dns: {} };
  const plugin = { type: "x", capabilities: { portMappings: true, bandwidth: false, mac: true } };
  expect(runtimeConfig(plugin, args)).toEqual({ portMappings: [1] });
  expect(runtimeConfig({ type: "x" }, args)).toBeUndefined();
});

test("checkPodCidrs() refuses what is no CIDR", () => {
  expect(checkPodCidrs(["10.0.0.0/16", "fd00::/64"])).toHaveLength(2);
  expect(() => checkPodCidrs(["10.0.0.0"])).toThrow('pod CIDR "10.0.0.0" is not a CIDR');
});
