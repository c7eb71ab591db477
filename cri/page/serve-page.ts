import fs from "node:fs";
import type http from "node:http";
import path from "node:path";
import { messageOf } from "../../api/errors";
import type { Serve } from "../exposition/server";
import { eventView } from "./event-view";
import { type NodeViewModules, nodeView } from "./node-view";

const files = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/page.css": ["page.css", "text/css; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript; charset=utf-8"],
} as const;

/** Nothing from elsewhere, nothing within the text, and in nobody's frame. */
const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};
/** So that a connection on which nothing happens is not taken for a dead one. */
const heartbeatMs = 15_000;

/** The page and what it asks for, by path. `directory` has its built files. */
export function servesPage(directory: string, modules: NodeViewModules): Record<string, Serve> {
  const paths: Record<string, Serve> = {
    "/api/node": (_request, response) => {
      nodeView(modules).then(
        (view) => send(response, "application/json", JSON.stringify(view)),
        (error) => response.writeHead(500, headers).end(`${messageOf(error)}\n`),
      );
    },
    "/api/events": (_request, response) => {
      sendEvents(modules, response);
    },
  };
  for (const [url, [name, type]] of Object.entries(files)) {
    paths[url] = (_request, response) => {
      fs.promises.readFile(path.join(directory, name)).then(
        (content) => send(response, type, content),
        () => response.writeHead(500, headers).end(`${name} is missing from this installation\n`),
      );
    };
  }
  return paths;
}

function send(response: http.ServerResponse, type: string, content: string | Buffer): void {
  response.writeHead(200, { ...headers, "content-type": type }).end(content);
}

/** Server-sent events (HTML, section 9.2) until the browser leaves; one that reads too slowly has to connect again. */
async function sendEvents({ services }: NodeViewModules, response: http.ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const heartbeat = setInterval(() => response.write(":\n\n"), heartbeatMs);
  response.writeHead(200, { ...headers, "content-type": "text/event-stream" }).write(":\n\n");
  try {
    for await (const event of services.events.subscribe(gone.signal)) {
      const isTaken = response.write(`data: ${JSON.stringify(eventView(event))}\n\n`);
      if (!isTaken && !gone.signal.aborted) {
        await new Promise<void>((resolve) => {
          response.once("drain", resolve).once("close", resolve);
        });
      }
    }
  } catch {
    // it lost its place, and asks again
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}
