import fs from "node:fs";
import type net from "node:net";
import { adoptDescriptor } from "./adopt-descriptor";
import { check, declare } from "./libc";
import { unixSocket, withFileAddress } from "./unix-socket";

const connect = declare("int connect(int fd, void *address, unsigned int length)");

/**
 * A connection to a SOCK_SEQPACKET socket in the filesystem (unix(7)), which `net` cannot make. Each `data` event is
 * one packet as long as the stream is never paused, and each write() one where the one before has called back.
 */
export function connectSeqpacket(file: string): net.Socket {
  const fd = withFileAddress(file, (address) => {
    const made = unixSocket("seqpacket");
    try {
      check(connect(made, address, address.length), "connect", file);
      return made;
    } catch (error) {
      fs.closeSync(made);
      throw error;
    }
  });
  return adoptDescriptor(fd).stream;
}
