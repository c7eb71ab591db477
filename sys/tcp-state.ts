import type net from "node:net";
import { declare } from "./libc";

const getsockopt = declare("int getsockopt(int fd, int level, int name, void *value, _Inout_ unsigned int *length)");

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_CLOSE = 7;
const TCP_CLOSE_WAIT = 8;

/**
 * Whether the peer has closed its side or the connection is broken (tcp(7), TCP_INFO), also where that is not seen
 * because bytes before it have not been read. False for what is no TCP socket.
 */
export function peerHasClosed(socket: net.Socket): boolean {
  const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd;
  if (socket.destroyed || fd === undefined || fd < 0) return false;
  const info = Buffer.alloc(8);
  if (Number(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, [info.length])) < 0) return false;
  return info[0] === TCP_CLOSE_WAIT || info[0] === TCP_CLOSE;
}
