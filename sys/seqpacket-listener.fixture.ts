import fs from "node:fs";
import { check, declare } from "./libc";
import { unixSocket, withFileAddress } from "./unix-socket";

const bind = declare("int bind(int fd, void *address, unsigned int length)");
const listen = declare("int listen(int fd, int backlog)");
const accept = declare("int accept(int fd, void *address, void *length)");

/** What a monitor has: a listening SOCK_SEQPACKET socket (unix(7)) at `file`. */
export class SeqpacketListener {
  private readonly fd = unixSocket("seqpacket");

  constructor(private readonly file: string) {
    withFileAddress(file, (address) => check(bind(this.fd, address, address.length), "bind", file));
    check(listen(this.fd, 1), "listen");
  }

  /** The descriptor of a connection that has been made; each write is one packet. */
  accept(): number {
    return check(accept(this.fd, null, null), "accept");
  }

  close(): void {
    fs.closeSync(this.fd);
    fs.rmSync(this.file, { force: true });
  }
}
