import fs from "node:fs";
import { check, declare, errnoOf } from "./libc";
import { unixAddress, unixSocket } from "./unix-socket";

const bind = declare("int bind(int fd, void *address, unsigned int length)");
const recv = declare("long recv(int fd, void *bytes, size_t length, int flags)");

/** What a service manager has: a bound datagram socket. `name` is a path, or an abstract name after an "@". */
export class DatagramReceiver {
  private readonly fd = unixSocket("datagram");

  constructor(readonly name: string) {
    const address = unixAddress(name);
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
