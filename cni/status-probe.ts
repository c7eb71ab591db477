import { messageOf } from "../api/errors";
import { isAtLeast } from "./cni-version";
import type { NetworkConfig } from "./network-config";

/** Throws what makes the network unready. */
type Ask = (network: NetworkConfig) => Promise<void>;

// The kubelet asks for the status every five seconds.
const freshMs = 4000;

/**
 * Keeps the last answer of the plugins' STATUS (CNI spec 1.1.0, section 2), so that who asks for the node's status
 * never waits for a plugin. Networks before 1.1.0 have no STATUS and are ready.
 */
export class StatusProbe {
  private network: NetworkConfig | undefined;
  private problem: string | undefined;
  private askedAtMs = 0;
  private asking = false;

  constructor(private readonly ask: Ask) {}

  /** From now on it is about `network`. */
  watch(network: NetworkConfig | undefined): void {
    this.network = network;
    this.problem = hasStatus(network) ? "its plugins have not answered STATUS yet" : undefined;
    this.askedAtMs = Number.NEGATIVE_INFINITY;
    this.refresh();
  }

  /** Why the network is not ready, undefined where it is. Starts the next question where the answer is old. */
  answer(): string | undefined {
    this.refresh();
    return this.problem;
  }

  private refresh(): void {
    const { network } = this;
    // Not the wall clock: it may be set back.
    if (!network || !hasStatus(network) || this.asking || performance.now() - this.askedAtMs < freshMs) return;
    this.askedAtMs = performance.now();
    this.asking = true;
    void this.ask(network)
      .then(
        () => undefined,
        (error: unknown) => messageOf(error),
      )
      .then((problem) => {
        this.asking = false;
        if (this.network === network) this.problem = problem;
        else this.refresh();
      });
  }
}

const hasStatus = (network: NetworkConfig | undefined) => !!network && isAtLeast(network.cniVersion, "1.1.0");
