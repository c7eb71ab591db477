import http from "node:http";
import { BerthError } from "../api/errors";

/** Serves /metrics at "address:port". Returns what ends it. */
export async function serveMetrics(
  address: string,
  registry: { contentType: string; metrics(): Promise<string> },
): Promise<() => void> {
  const url = URL.parse(`http://${address}`);
  if (!url?.port) throw new BerthError("InvalidArgument", `metrics.address "${address}" is no address with a port`);
  const server = http.createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/metrics") {
      response.writeHead(404).end("not found\n");
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { "content-type": registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(url.port), url.hostname.replace(/^\[|\]$/g, ""), resolve);
  });
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
