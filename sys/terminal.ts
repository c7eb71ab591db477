import fs from "node:fs";
import type net from "node:net";
import { adoptDescriptor } from "./adopt-descriptor";
import { check, declare } from "./libc";

const ioctl = declare("int ioctl(int fd, unsigned long request, void *argument)");
const ioctlNumber = declare("int ioctl(int fd, unsigned long request, long argument)");
const tcgetattr = declare("int tcgetattr(int fd, void *settings)");
const tcsetattr = declare("int tcsetattr(int fd, int when, void *settings)");
const cfmakeraw = declare("void cfmakeraw(void *settings)");

const TIOCSPTLCK = 0x40045431n;
const TIOCGPTPEER = 0x5441n;
const TIOCSWINSZ = 0x5414n;

export interface TerminalSize {
  rows: number;
  columns: number;
}

export interface Terminal {
  /** For the child's streams; to be closed here once it has them. */
  child: number;
  /** This side; it closes when nobody has the other side any more, with the error EIO or without. */
  stream: net.Socket;
  resize(size: TerminalSize): void;
}

/**
 * A pseudo-terminal (pty(7)) in raw mode: what is written on one side comes out of the other as it is. The side of the
 * child is asked for by its number, so no /dev/pts has to be in sight.
 */
export function openTerminal(): Terminal {
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = fs.constants;
  const master = fs.openSync("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  let child: number | undefined;
  try {
    check(ioctl(master, TIOCSPTLCK, Buffer.alloc(4)), "ioctl", "unlock the terminal");
    child = check(ioctlNumber(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | 0x80000), "ioctl", "the terminal's other side");
    const settings = Buffer.alloc(128);
    check(tcgetattr(child, settings), "tcgetattr");
    cfmakeraw(settings);
    check(tcsetattr(child, 0, settings), "tcsetattr");
  } catch (error) {
    fs.closeSync(master);
    if (child !== undefined) fs.closeSync(child);
    throw error;
  }
  const { stream, fd } = adoptDescriptor(master);
  // libuv tells the other side's going as EIO, or as the end of the input: what is still to be written has no reader then
  stream.once("end", () => stream.destroy());
  return {
    child,
    stream,
    resize(size) {
      if (!stream.destroyed) setTerminalSize(fd, size);
    },
  };
}

/** Sets the size of the terminal that `fd` is a side of; the kernel tells what runs on it by SIGWINCH. */
export function setTerminalSize(fd: number, { rows, columns }: TerminalSize): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  check(ioctl(fd, TIOCSWINSZ, size), "ioctl", "the terminal's size");
}
