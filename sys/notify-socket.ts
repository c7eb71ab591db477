import fs from "node:fs";
import { BerthError } from "../api/errors";
import { check, declare } from "./libc";
import { unixAddress, unixSocket } from "./unix-socket";

const sendto = declare(
  "long sendto(int fd, void *bytes, size_t length, int flags, void *address, unsigned int addressLength)",
);

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** How long a name may be in an address of unix(7), its NUL left out. */
const nameMaxBytes = 107;

/**
 * The unix datagram socket on which a service manager hears from its service, as sd_notify(3) writes to it. `name` is
 * NOTIFY_SOCKET: a path, or a name of the abstract namespace after an "@". Throws InvalidArgument where it is neither.
 */
export class NotifySocket {
  private readonly address: Buffer;
  private readonly fd: number;

  constructor(private readonly name: string) {
    if (!/^[/@]./.test(name) || Buffer.byteLength(name) > nameMaxBytes) {
      throw new BerthError("InvalidArgument", `"${name}" is no address of a notification socket`);
    }
    this.address = unixAddress(name);
    this.fd = unixSocket("datagram");
  }

  /** Sends one message of assignments, such as { READY: "1" }. Throws where nobody takes it at once. */
  send(assignments: Record<string, string>): void {
    const lines = Object.entries(assignments).map(([key, value]) => `${key}=${value}`);
    const bytes = Buffer.from(lines.join("\n"));
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    check(sendto(this.fd, bytes, bytes.length, flags, this.address, this.address.length), "sendto", this.name);
  }

  close(): void {
    fs.closeSync(this.fd);
  }
}
