import type net from "node:net";
import { BerthError, messageOf } from "../../api/errors";
import { dialInside } from "../../sys/namespace-socket";
import type { Services } from "../services";
import type { SandboxId } from "../../api/ids";

const dialTimeoutMs = 30_000;

/** Connects to a port of a pod as one of its own processes would: on its loopback, IPv4 first. */
export async function dialPod(services: Services, sandboxId: SandboxId, port: number): Promise<net.Socket> {
  const sandbox = services.store.sandboxes.get(sandboxId);
  if (!sandbox.isReady) throw new BerthError("FailedPrecondition", `sandbox ${sandboxId} is not running`);
  const reasons: string[] = [];
  for (const [family, address] of [
    [4, "127.0.0.1"],
    [6, "::1"],
  ] as const) {
    try {
      const namespace = sandbox.record.namespaces.net;
      return await dialInside(services.namespaces, { namespace, family, address, port, timeoutMs: dialTimeoutMs });
    } catch (error) {
      reasons.push(messageOf(error));
    }
  }
  throw new BerthError("Unavailable", `failed to connect to localhost:${port} inside the pod: ${reasons.join("; ")}`);
}
