import fs from "node:fs";
import net from "node:net";
import { check, declare } from "./libc";

const socketpair = declare("int socketpair(int domain, int type, int protocol, _Out_ int *ends)");
const dup3 = declare("int dup3(int from, int to, int flags)");

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const O_CLOEXEC = 0x80000;

/**
 * A stream on a descriptor that `net` takes for nothing it knows (a terminal's master, a SOCK_SEQPACKET socket), with
 * reads and writes that never block the loop. `fd` must be non-blocking; it is closed, and the stream has the number
 * that comes back, good until the stream closes.
 *
 * libuv asks what a descriptor is only when a handle is opened, so the handle is opened on a plain socket and the
 * other is put under its number, before the loop has turned and polled it.
 */
export function adoptDescriptor(fd: number): { stream: net.Socket; fd: number } {
  try {
    const ends = [0, 0];
    check(socketpair(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, ends), "socketpair");
    const [kept, other] = ends as [number, number];
    fs.closeSync(other);
    const stream = new net.Socket({ fd: kept, readable: true, writable: true, allowHalfOpen: true });
    check(dup3(fd, kept, O_CLOEXEC), "dup3");
    return { stream, fd: kept };
  } finally {
    fs.closeSync(fd);
  }
}
