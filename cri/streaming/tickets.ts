import { randomBytes } from "node:crypto";
import { BerthError } from "../../api/errors";
import type { StreamRequest } from "./requests";

const lifeMs = 60_000;
/** As many as the kubelet's own streaming library lets wait (k8s.io/kubelet pkg/cri/streaming, request_cache.go). */
const mostWaiting = 1000;

interface Ticket {
  request: StreamRequest;
  timer: NodeJS.Timeout;
}

/** Requests that wait for their client, each under a token that nobody can guess and that is good once. */
export class Tickets {
  private readonly waiting = new Map<string, Ticket>();

  get size(): number {
    return this.waiting.size;
  }

  /** A token of 192 random bits. */
  issue(request: StreamRequest): string {
    if (this.waiting.size >= mostWaiting) {
      throw new BerthError("ResourceExhausted", `${mostWaiting} streaming requests wait for their clients already`);
    }
    const token = randomBytes(24).toString("base64url");
    const timer = setTimeout(() => this.waiting.delete(token), lifeMs);
    timer.unref();
    this.waiting.set(token, { request, timer });
    return token;
  }

  /** The request under `token`, which then knows no more; undefined where it is unknown, used, expired or of another kind. */
  redeem(kind: string, token: string): StreamRequest | undefined {
    const ticket = this.waiting.get(token);
    if (!ticket) return undefined;
    // a token that has come to the wrong door was seen by somebody: it is spent too
    this.waiting.delete(token);
    clearTimeout(ticket.timer);
    return ticket.request.kind === kind ? ticket.request : undefined;
  }

  clear(): void {
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
  }
}
