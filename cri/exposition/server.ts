import http from "node:http";
import net from "node:net";
import { BerthError } from "../../api/errors";

/** What serves one path; the request is a GET from a Host that may ask. */
export type Serve = (request: http.IncomingMessage, response: http.ServerResponse) => void;

export interface ExpositionOptions {
  /** "address:port" */
  address: string;
  /** By path, without a query. */
  paths: Record<string, Serve>;
  /** What is served to this machine alone, and where the address is a loopback one alone. */
  localPaths: Record<string, Serve>;
}

const requestTimeoutMs = 10_000;
const mostConnections = 64;

/** Serves metrics and the page over HTTP. Returns what ends it. Throws where the address can't be listened on. */
export async function serveExposition(options: ExpositionOptions): Promise<() => void> {
  const { host, port } = parseAddress(options.address);
  const server = http.createServer((request, response) => {
    const path = (request.url ?? "").split("?", 1)[0]!;
    const local = options.localPaths[path];
    const serve = options.paths[path] ?? (isLoopback(host) ? local : undefined);
    if (!serve) return refuse(response, 404, local ? "served on a loopback address alone" : "not found");
    if (request.method !== "GET") return refuse(response, 405, "GET alone");
    // a page of elsewhere whose name was made to lead here must not read the node's state
    if (local && !isLocalName(request.headers.host)) return refuse(response, 403, "ask by a loopback address");
    serve(request, response);
  });
  server.headersTimeout = requestTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  server.maxConnections = mostConnections;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

/** Serves what prom-client has gathered. */
export const servesMetrics =
  (registry: { contentType: string; metrics(): Promise<string> }): Serve =>
  (_request, response) => {
    registry.metrics().then(
      (text) => response.writeHead(200, { "content-type": registry.contentType }).end(text),
      () => refuse(response, 500, "the metrics could not be gathered"),
    );
  };

function refuse(response: http.ServerResponse, status: number, why: string): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(`${why}\n`);
}

function parseAddress(address: string): { host: string; port: number } {
  const url = URL.parse(`http://${address}`);
  if (!url?.port) throw new BerthError("InvalidArgument", `metrics.address "${address}" is no address with a port`);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port) };
}

/** A name under somebody's control may begin like a loopback address. */
const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (net.isIPv4(host) && host.startsWith("127."));

function isLocalName(header: string | undefined): boolean {
  const url = URL.parse(`http://${header}`);
  return url !== null && isLoopback(url.hostname.replace(/^\[|\]$/g, ""));
}
