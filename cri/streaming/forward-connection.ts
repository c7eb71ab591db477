import type net from "node:net";
import type { Duplex, Writable } from "node:stream";
import { messageOf } from "../../api/errors";
import { endStream } from "./end-stream";

export interface ForwardedConnection {
  /** The client's bytes, both ways. */
  data: Duplex;
  /** Text for the client where it fails, nothing where it does not; its end is the end of all. */
  errors: Writable;
  port: number;
}

/** Joins a client's connection with one to a port of a pod; each direction ends by itself. Never rejects. */
export async function forwardConnection(
  { data, errors, port }: ForwardedConnection,
  dial: (port: number) => Promise<net.Socket>,
): Promise<void> {
  // whichever way they end is seen by their close; a stream made of two fails when it is destroyed
  data.on("error", () => {});
  errors.on("error", () => {});
  let failure = "";
  try {
    const socket = await dial(port);
    await join(data, socket);
  } catch (error) {
    failure = `error forwarding port ${port}: ${messageOf(error)}`;
  }
  // the reason first: a client takes the end of the data for the end
  await endStream(errors, failure);
  errors.destroy();
  data.destroy();
}

/** Resolves when both directions have ended, or when one side is gone. */
function join(data: Duplex, socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    let open = 2;
    const finish = () => {
      data.destroy();
      socket.destroy();
      resolve();
    };
    const half = () => {
      open -= 1;
      if (open === 0) finish();
    };
    // what the pod has sent before its connection broke is still for the client
    socket.on("error", () => data.end());
    socket.on("close", () => {
      data.end();
      if (data.writableFinished) finish();
      else data.once("finish", finish);
    });
    data.on("close", finish);
    if (data.destroyed) finish();
    socket.on("finish", half);
    data.on("finish", half);
    data.pipe(socket);
    socket.pipe(data);
  });
}
