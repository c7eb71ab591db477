import fs from "node:fs";
import { addressOf, check, declare, errnoOf } from "./libc";
import { unixSocket, withFileAddress } from "./unix-socket";

const bind = declare("int bind(int fd, void *address, unsigned int length)");
const listen = declare("int listen(int fd, int backlog)");
const accept4 = declare("int accept4(int fd, void *address, void *length, int flags)");
const recvmsg = declare("long recvmsg(int fd, void *message, int flags)");

const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;
const MSG_CMSG_CLOEXEC = 0x40000000;

/**
 * A unix socket on which an OCI runtime hands over the controlling side of the terminal that it made (`--console-socket`
 * of runc and crun). Nothing here blocks: who waits asks again.
 */
export class ConsoleSocket {
  private readonly listener: number;
  private connection: number | undefined;

  /** Listens on a new file; its path may be longer than an address can hold. */
  constructor(readonly file: string) {
    this.listener = unixSocket("stream");
    try {
      withFileAddress(file, (address) => check(bind(this.listener, address, address.length), "bind", file));
      check(listen(this.listener, 1), "listen", file);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The descriptor that was handed over, which is then the caller's; undefined where it has not come yet. */
  take(): number | undefined {
    try {
      this.connection ??= check(accept4(this.listener, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK), "accept4");
      return receiveDescriptor(this.connection);
    } catch (error) {
      if (errnoOf(error) === "EAGAIN") return undefined;
      throw error;
    }
  }

  close(): void {
    if (this.connection !== undefined) fs.closeSync(this.connection);
    fs.closeSync(this.listener);
    fs.rmSync(this.file, { force: true });
  }
}

/** The descriptor of one message (unix(7), SCM_RIGHTS); undefined where the sender closed without one. */
function receiveDescriptor(connection: number): number | undefined {
  // a msghdr of 56 bytes, its one iovec of 16, room for a control message of one descriptor and for the bytes beside it
  const space = Buffer.alloc(1024);
  const at = { iovec: 64, control: 128, bytes: 256 };
  const start = addressOf(space);
  space.writeBigUInt64LE(start + BigInt(at.iovec), 16);
  space.writeBigUInt64LE(1n, 24);
  space.writeBigUInt64LE(start + BigInt(at.control), 32);
  space.writeBigUInt64LE(24n, 40);
  space.writeBigUInt64LE(start + BigInt(at.bytes), at.iovec);
  space.writeBigUInt64LE(256n, at.iovec + 8);
  check(recvmsg(connection, space, MSG_CMSG_CLOEXEC), "recvmsg");
  // shorter than its header and one number: there was none
  return space.readBigUInt64LE(40) < 20n ? undefined : space.readInt32LE(at.control + 16);
}
