import fs from "node:fs";
import { check, declare, errnoOf } from "./libc";
import { addressOfName } from "./notify-socket";

const socket = declare("int socket(int domain, int type, int protocol)");
const bind = declare("int bind(int fd, void *address, unsigned int length)");
const recv = declare("long recv(int fd, void *bytes, size_t length, int flags)");

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;

/** What a service manager has: a bound datagram socket. `name` is a path, or an abstract name after an "@". */
export class DatagramReceiver {
  private readonly fd = check(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");

  constructor(readonly name: string) {
    const address = addressOfName(name);
    check(bind(this.fd, address, address.length), "bind", name);
  }

  /** The next message; undefined where none has come. */
  take(): string | undefined {
    const bytes = Buffer.alloc(4096);
    try {
      return bytes.toString("utf8", 0, check(recv(this.fd, bytes, bytes.length, 0), "recv"));
    } catch (error) {
      if (errnoOf(error) === "EAGAIN") return undefined;
      throw error;
    }
  }

  close(): void {
    fs.closeSync(this.fd);
    if (!this.name.startsWith("@")) fs.rmSync(this.name, { force: true });
  }
}
