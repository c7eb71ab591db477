import net from "node:net";
import { check, declare } from "./libc";
import type { ChildPipe } from "./open-pipes";

const pipe2 = declare("int pipe2(_Out_ int *ends, int flags)");
const O_CLOEXEC = 0x80000;

/** A pipe for a child's input: `child` is to be given to it and then closed here, `stream` is written here. */
export function pipeToChild(): ChildPipe {
  const ends = [0, 0];
  check(pipe2(ends, O_CLOEXEC), "pipe2");
  return { child: ends[0]!, stream: new net.Socket({ fd: ends[1]!, readable: false, writable: true }) };
}
