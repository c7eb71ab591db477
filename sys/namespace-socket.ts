import net from "node:net";
import { check, declare } from "./libc";
import type { Namespaces } from "./namespaces";

const socket = declare("int socket(int domain, int type, int protocol)");

const families = { 4: 2, 6: 10 } as const;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;

export interface DialRequest {
  /** The file that holds the network namespace; undefined for the host's. */
  namespace: string | undefined;
  family: 4 | 6;
  address: string;
  port: number;
  timeoutMs: number;
}

/**
 * Connects to a TCP port as seen from inside a network namespace: a socket belongs for ever to the namespace that it
 * was made in, so only that one call is made inside. Rejects with the errno's error, such as ECONNREFUSED.
 */
export async function dialInside(namespaces: Namespaces, request: DialRequest): Promise<net.Socket> {
  const open = () => check(socket(families[request.family], SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
  const fd = request.namespace ? namespaces.inside(request.namespace, "net", open) : open();
  const stream = new net.Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => stream.destroy(Object.assign(new Error("connect ETIMEDOUT"), { code: "ETIMEDOUT" })),
      request.timeoutMs,
    );
    stream.once("error", reject);
    stream.once("close", () => clearTimeout(timer));
    stream.connect({ port: request.port, host: request.address, family: request.family }, () => {
      clearTimeout(timer);
      stream.off("error", reject);
      resolve(stream);
    });
  });
}
