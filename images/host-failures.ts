import { BerthError, during } from "../api/errors";
import type { RegistryEndpoint } from "./registry-endpoint";

interface Failure {
  endpoint: RegistryEndpoint;
  error: BerthError;
}

/** Why each of the hosts that were asked for something did not give it. */
export class HostFailures {
  private readonly failures: Failure[] = [];

  add(endpoint: RegistryEndpoint, error: unknown): BerthError {
    const failure = error instanceof BerthError ? error : during(endpoint.name, error);
    this.failures.push({ endpoint, error: failure });
    return failure;
  }

  /**
   * One error for all of them, each host named with its reason. Its code is that of the host that comes last in
   * `order`, for that is the registry itself.
   */
  toError(image: string, order: readonly RegistryEndpoint[]): BerthError {
    const ordered = [...this.failures].sort((a, b) => order.indexOf(a.endpoint) - order.indexOf(b.endpoint));
    const last = ordered.at(-1)?.error;
    if (!last) {
      return new BerthError(
        "FailedPrecondition",
        `pulling ${image}: none of the configured hosts may be asked for it`,
        {
          hint: "See the capabilities in hosts.toml.",
        },
      );
    }
    const reasons = ordered.map(({ endpoint, error }) =>
      error.message.includes(endpoint.name) ? error.message : `${endpoint.name}: ${error.message}`,
    );
    const { code, hint } = last;
    return new BerthError(code, `${opening(code, image)}: ${reasons.join("; ")}`, { cause: last, hint });
  }
}

function opening(code: string, image: string): string {
  if (code === "NotFound") return `${image}: not found`;
  if (code !== "PermissionDenied") return `pulling ${image}`;
  return `pull access denied for ${image}: the repository does not exist or may require authorization`;
}
