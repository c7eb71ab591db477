import fs from "node:fs";
import path from "node:path";
import { check, declare, withFd } from "./libc";

const socketCall = declare("int socket(int domain, int type, int protocol)");

const AF_UNIX = 1;
const types = { stream: 1, datagram: 2, seqpacket: 5 } as const;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;

/** A new socket of the kinds that `net` has no word for (unix(7)): its descriptor, non-blocking, close-on-exec. */
export const unixSocket = (type: keyof typeof types): number =>
  check(socketCall(AF_UNIX, types[type] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");

/** A sockaddr_un of at most 107 bytes. A name after an "@" is abstract and ends with the address; a path ends with NUL. */
export function unixAddress(name: string): Buffer {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, Buffer.from(name.startsWith("@") ? `\0${name.slice(1)}` : `${name}\0`)]);
}

/** Hands on the address of a file whose path may be longer than an address: by way of /proc it is short. */
export function withFileAddress<T>(file: string, use: (address: Buffer) => T): T {
  return withFd(fs.openSync(path.dirname(file), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY), (directory) =>
    use(unixAddress(`/proc/self/fd/${directory}/${path.basename(file)}`)),
  );
}
