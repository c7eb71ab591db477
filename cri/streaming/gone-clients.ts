import type net from "node:net";
import { peerHasClosed } from "../../sys/tcp-state";

const sweepMs = 5000;

/**
 * Finds clients that have gone while their connection was not read, since a command does not take its input: the end
 * then lies behind what has not been read, for as long as the command lives. Whoever is found twice is cut off.
 */
export class GoneClients {
  private readonly sockets = new Set<net.Socket>();
  private suspects = new Set<net.Socket>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly hasGone: (socket: net.Socket) => boolean = peerHasClosed) {}

  watch(socket: net.Socket): void {
    this.sockets.add(socket);
    socket.once("close", () => {
      this.sockets.delete(socket);
      if (this.sockets.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
    });
    this.timer ??= setInterval(() => this.sweep(), sweepMs).unref();
  }

  private sweep(): void {
    const found = new Set([...this.sockets].filter(this.hasGone));
    for (const socket of found) if (this.suspects.has(socket)) socket.destroy();
    this.suspects = found;
  }
}
