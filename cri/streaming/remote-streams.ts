import type { Readable, Writable } from "node:stream";
import type { Outcome } from "./outcome";

/** The client's side of an exec or attach session, whatever protocol carries it. */
export interface RemoteStreams {
  stdin: Readable | undefined;
  stdout: Writable | undefined;
  stderr: Writable | undefined;
  /** Sizes of the client's terminal, as JSON. */
  resize: Readable | undefined;
  /** Aborts when the client has gone, or the connection has ended otherwise. */
  gone: AbortSignal;
  /** Sends what is left of the output and how it ended, and closes the connection. */
  finish(outcome: Outcome): Promise<void>;
}
