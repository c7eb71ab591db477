import fs from "node:fs";
import type net from "node:net";
import path from "node:path";
import { adoptDescriptor } from "./adopt-descriptor";
import { check, declare, withFd } from "./libc";

const socket = declare("int socket(int domain, int type, int protocol)");
const connect = declare("int connect(int fd, void *address, unsigned int length)");

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;

/**
 * A connection to a SOCK_SEQPACKET socket in the filesystem (unix(7)), which `net` cannot make. Each `data` event is
 * one packet as long as the stream is never paused, and each write() one where the one before has called back.
 */
export function connectSeqpacket(file: string): net.Socket {
  // the path in an address ends at 107 bytes; by way of /proc it is short whatever the directory
  return withFd(fs.openSync(path.dirname(file), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY), (directory) => {
    const fd = check(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
    try {
      const address = Buffer.alloc(110);
      address.writeUInt16LE(AF_UNIX, 0);
      address.write(`/proc/self/fd/${directory}/${path.basename(file)}`, 2);
      check(connect(fd, address, address.length), "connect", file);
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    return adoptDescriptor(fd).stream;
  });
}
