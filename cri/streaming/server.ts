import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import type net from "node:net";
import { BerthError } from "../../api/errors";
import { GoneClients } from "./gone-clients";
import { refuseUpgrade } from "./http-refusal";
import { IdleTrim } from "./idle-trim";
import { parseListenAddress, reachableHost } from "./listen-address";
import type { StreamRequest, StreamUrls } from "./requests";
import { Tickets } from "./tickets";
import type { UpgradeRequest } from "./websocket/accept";

/** Connections at once; past it new ones are closed at once, so that those who flood cannot take all descriptors. */
const mostConnections = 4096;
const keepAliveMs = 30_000;
/** How long a client may take for its request. */
const requestTimeoutMs = 10_000;

export interface StreamingOptions {
  /** "address:port"; port 0 takes a free one. */
  address: string;
  /** Both or none; read at the start. */
  tls: { certFile: string; keyFile: string } | undefined;
  /** A connection on which nothing moves for so long is closed. */
  idleTimeoutMs: number;
}

/** Takes over an upgraded connection; whatever it does, errors stay inside. */
export type ServeStream = (request: StreamRequest, upgrade: UpgradeRequest) => void;

/**
 * The HTTP server that clients of Exec, Attach and PortForward connect to, by URLs of a random token that is good for
 * one of them. What guards it is the token. The Host header says nothing: the kubelet hands on the one that its own
 * client sent. A browser page is known by its Origin and refused.
 */
export class StreamingServer implements StreamUrls {
  private readonly tickets = new Tickets();
  private readonly sockets = new Set<net.Socket>();
  private readonly idleTrim = new IdleTrim();
  private readonly goneClients = new GoneClients();
  private server: http.Server | undefined;
  private base = "";

  constructor(private readonly options: StreamingOptions) {}

  urlFor(request: StreamRequest): string {
    if (!this.base) throw new BerthError("Unavailable", "the streaming server does not listen");
    return `${this.base}/${request.kind}/${this.tickets.issue(request)}`;
  }

  /** Starts to listen. Throws where the address or the certificate is no good. */
  async listen(serve: ServeStream): Promise<void> {
    const { tls, idleTimeoutMs } = this.options;
    const { host, port } = parseListenAddress(this.options.address);
    const server: http.Server = tls
      ? https.createServer({ cert: fs.readFileSync(tls.certFile), key: fs.readFileSync(tls.keyFile) })
      : http.createServer();
    server.headersTimeout = requestTimeoutMs;
    server.requestTimeout = requestTimeoutMs;
    server.keepAliveTimeout = 1000;
    server.maxConnections = mostConnections;
    server.on("connection", (socket: net.Socket) => {
      this.sockets.add(socket);
      this.goneClients.watch(socket);
      socket.on("close", () => {
        this.sockets.delete(socket);
        this.idleTrim.sessionEnded();
      });
    });
    server.on("request", (request, response) => {
      // a token is spent by its first use, whatever that is
      const known = this.redeem(request) !== undefined;
      const [status, message] = known ? [400, "upgrade request required\n"] : [404, "not found\n"];
      response.writeHead(status as number, { connection: "close", "content-type": "text/plain" }).end(message);
    });
    server.on("upgrade", (request: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
      if (request.headers.origin !== undefined) {
        refuseUpgrade(socket, { status: 403, message: "browser pages are not served\n" });
        return;
      }
      const redeemed = this.redeem(request);
      if (!redeemed) {
        refuseUpgrade(socket, { status: 404, message: "not found\n" });
        return;
      }
      socket.setNoDelay(true);
      // finds a client that died with more on its way than we would take
      socket.setKeepAlive(true, keepAliveMs);
      socket.setTimeout(idleTimeoutMs, () => socket.destroy());
      serve(redeemed, { request, socket, head });
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    });
    this.server = server;
    const bound = server.address() as net.AddressInfo;
    this.base = `${tls ? "https" : "http"}://${reachableHost(host)}:${bound.port}`;
  }

  /** Ends all sessions. */
  stop(): void {
    this.server?.close();
    this.tickets.clear();
    this.idleTrim.stop();
    for (const socket of this.sockets) socket.destroy();
  }

  private redeem({ url = "" }: http.IncomingMessage): StreamRequest | undefined {
    const [, kind = "", token = "", ...more] = url.split("?", 1)[0]!.split("/");
    return more.length > 0 ? undefined : this.tickets.redeem(kind, token);
  }
}
