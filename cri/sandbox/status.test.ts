import { codec, type Init, NamespaceMode, type PodSandboxConfig } from "../../api/messages";
import type { Services } from "../services";
import { Sandbox, type SandboxRecord } from "../store/sandbox";
import { sandboxStatus } from "./status";

const services = { namespaces: { isPinned: () => true } } as unknown as Services;

function sandbox(config: Init<PodSandboxConfig>, record: Partial<SandboxRecord>): Sandbox {
  const encoded = codec("PodSandboxConfig").encode(config).toString("base64");
  const whole = { version: 1, id: "a".repeat(64), config: encoded, handler: "", createdAtNs: "1", phase: "ready" };
  return new Sandbox({ ...whole, namespaces: {}, ips: [], madeCgroups: [], ...record } as SandboxRecord);
}

test("sandboxStatus() has the first address as ip and the rest apart", () => {
  const { network } = sandboxStatus(services, sandbox({}, { ips: ["10.0.0.1", "fd00::1", "fd00::2"] }));
  expect(network).toEqual({ ip: "10.0.0.1", additionalIps: [{ ip: "fd00::1" }, { ip: "fd00::2" }] });
});

test("sandboxStatus() has an empty ip when the pod is on the host's network", () => {
  const config = { linux: { securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } } };
  const { network, linux } = sandboxStatus(services, sandbox(config, {}));
  expect(network).toEqual({ ip: "", additionalIps: [] });
  expect(linux?.namespaces?.options?.network).toBe(NamespaceMode.NODE);
});
