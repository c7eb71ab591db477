import type { Duplex } from "node:stream";

const phrases = { 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error" } as const;

export interface Refusal {
  status: keyof typeof phrases;
  message: string;
  headers?: Record<string, string>;
}

/** Answers a request to upgrade with an error and closes. */
export function refuseUpgrade(socket: Duplex, { status, message, headers = {} }: Refusal): void {
  const lines = Object.entries({
    Connection: "close",
    "Content-Type": "text/plain",
    "Content-Length": String(Buffer.byteLength(message)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`);
  socket.on("error", () => {});
  socket.end(`HTTP/1.1 ${status} ${phrases[status]}\r\n${lines.join("\r\n")}\r\n\r\n${message}`, () =>
    socket.destroy(),
  );
}
