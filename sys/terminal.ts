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
const FIONBIO = 0x5421n;

export interface TerminalSize {
  rows: number;
  columns: number;
}

/** The controlling side of a terminal. */
export interface Terminal {
  /** It closes when nobody has the other side any more, with the error EIO or without. */
  stream: net.Socket;
  /** The kernel tells what runs on the terminal by SIGWINCH. */
  resize(size: TerminalSize): void;
}

export interface OwnTerminal extends Terminal {
  /** The other side, for a child's streams; to be closed here once it has them. */
  child: number;
}

/**
 * A pseudo-terminal (pty(7)) in raw mode: what is written on one side comes out of the other as it is. The side of the
 * child is asked for by its number, so no /dev/pts has to be in sight.
 */
export function openTerminal(): OwnTerminal {
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
  return { child, ...controllingSide(master) };
}

/** The controlling side of a terminal that someone else made; `fd` is closed with it. */
export function adoptTerminal(fd: number): Terminal {
  const nonBlocking = Buffer.alloc(4);
  nonBlocking.writeInt32LE(1);
  try {
    check(ioctl(fd, FIONBIO, nonBlocking), "ioctl", "the terminal's descriptor");
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  return controllingSide(fd);
}

function controllingSide(nonBlockingFd: number): Terminal {
  const { stream, fd } = adoptDescriptor(nonBlockingFd);
  // libuv tells the other side's going as EIO, or as the end of the input: what is still to be written has no reader then
  stream.once("end", () => stream.destroy());
  return {
    stream,
    resize({ rows, columns }) {
      if (stream.destroyed) return;
      const size = Buffer.alloc(8);
      size.writeUInt16LE(rows, 0);
      size.writeUInt16LE(columns, 2);
      check(ioctl(fd, TIOCSWINSZ, size), "ioctl", "the terminal's size");
    },
  };
}
