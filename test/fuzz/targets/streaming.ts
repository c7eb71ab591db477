import { EventEmitter } from "node:events";
import { Duplex, PassThrough } from "node:stream";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { BerthError } from "../../../api/errors";
import { runPortForwardSession } from "../../../cri/streaming/port-forward-session";
import type { RemoteStreams } from "../../../cri/streaming/remote-streams";
import { SpdyConnection } from "../../../cri/streaming/spdy/connection";
import {
  ControlType,
  controlFrame,
  dataHeader,
  FLAG_FIN,
  headerBytes,
  readFrameHeader,
} from "../../../cri/streaming/spdy/frames";
import type { SpdyStream } from "../../../cri/streaming/spdy/stream";
import { headerBlock } from "../../../cri/streaming/spdy/test-client";
import { openSpdySession, spdyCommandProtocols } from "../../../cri/streaming/spdy-session";
import { channelProtocols } from "../../../cri/streaming/websocket/channel-protocols";
import { openWebSocketSession } from "../../../cri/streaming/websocket-session";
import { type FuzzTarget, promise } from "../target";

const maxStreams = 4;
const names = ["stdin", "stdout", "stderr", "error", "resize", "data", ""];
const zlibStart = Buffer.from("78bbe3c6a7c2", "hex");

/**
 * What a client sends in an exec, attach or port-forward. An input is a program: its first byte says who serves (SPDY
 * bare, an exec, a port-forward, or WebSocket channels), then come operations, each a byte and what it takes. Frames are
 * made right by default, so that what lies behind them is reached; raw bytes are one of the operations.
 */
export const target: FuzzTarget = {
  seeds,
  async run(input) {
    const program = new Program(input);
    const kind = program.byte() % 5;
    if (kind === 4) await runChannels(program);
    else await runSpdy(program, kind);
  },
};

class Program {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  get isOver(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    return this.bytes[this.at++] ?? 0;
  }

  take(): Buffer {
    const length = this.byte() << (this.byte() % 8);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/** The client's end of a connection in memory; it reads what it is sent only while `reads`. */
class Client extends Duplex {
  sent: Buffer[] = [];
  reads = true;
  private stalled: (() => void)[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.sent.push(chunk);
    if (this.reads) done();
    else this.stalled.push(done);
  }

  goOn(): void {
    this.reads = true;
    for (const done of this.stalled.splice(0)) done();
  }
}

async function runSpdy(program: Program, kind: number): Promise<void> {
  const client = new Client();
  const streams: SpdyStream[] = [];
  let closed = 0;
  let session: RemoteStreams | undefined;
  let connection: SpdyConnection | undefined;
  let over: Promise<unknown> = Promise.resolve();
  if (kind <= 1) {
    connection = new SpdyConnection(client, {
      maxStreams,
      onStream: (stream) => streams.push(stream),
      onClose: () => closed++,
    });
  } else if (kind === 2) {
    const flags = { stdin: true, stdout: true, stderr: program.byte() % 2 === 0, tty: program.byte() % 2 === 0 };
    const protocol = spdyCommandProtocols[program.byte() % spdyCommandProtocols.length]!;
    over = openSpdySession({ transport: client, protocol, flags, streamCreationTimeoutMs: 50_000 }).then(
      (opened) => {
        session = opened;
        opened.stdin?.resume();
      },
      (error) =>
        promise(
          error instanceof BerthError || error.code === "ERR_STREAM_PREMATURE_CLOSE" || /^Z_/.test(error.code),
          () => String(error.stack),
        ),
    );
  } else {
    const dial = async (port: number) => {
      if (port % 2 === 0) throw new BerthError("Unavailable", "nobody listens");
      return new PassThrough() as unknown as Socket;
    };
    over = runPortForwardSession({ transport: client, streamCreationTimeoutMs: 50_000, dial });
  }
  let first = true;
  let nextId = 1;
  for (let steps = 0; !program.isOver && steps < 400; steps++) {
    switch (program.byte() % 12) {
      case 0:
        client.push(program.take());
        break;
      case 1: {
        const frame = controlFrame(program.byte(), program.take());
        frame[4] = program.byte();
        client.push(frame);
        break;
      }
      case 2:
      case 3:
      case 4: {
        const odd = program.byte();
        const headers = {
          streamtype: names[odd % names.length]!,
          port: String(program.byte()),
          requestid: `${odd >> 4}`,
        };
        const isRaw = program.byte() % 8 === 0;
        const block = isRaw ? program.take() : headerBlock(headers);
        if (program.byte() % 16 !== 0) nextId += 2;
        const id = Buffer.alloc(10);
        id.writeUInt32BE(nextId, 0);
        const frame = controlFrame(ControlType.SYN_STREAM, Buffer.concat([id, stored(block, first)]));
        frame[4] = program.byte() % 4 === 0 ? FLAG_FIN : 0;
        first = false;
        client.push(frame);
        break;
      }
      case 5: {
        const bytes = program.take();
        const id = program.byte() % (nextId + 3);
        client.push(Buffer.concat([dataHeader(id, program.byte() % 2, bytes.length), bytes]));
        break;
      }
      case 6: {
        const reset = Buffer.alloc(8);
        reset.writeUInt32BE(program.byte() % (nextId + 3), 0);
        client.push(controlFrame(program.byte() % 2 === 0 ? ControlType.RST_STREAM : ControlType.PING, reset));
        break;
      }
      case 7:
      case 8: {
        const stream = streams[program.byte() % Math.max(1, streams.length)];
        act(stream, program);
        break;
      }
      case 9:
        client.reads = false;
        break;
      case 10:
        client.goOn();
        break;
      default:
        await turn();
        if (program.byte() % 32 === 0) connection?.end();
    }
    promise(streams.filter((stream) => !stream.destroyed).length <= maxStreams, () => "more streams than may be");
  }
  await turn();
  client.goOn();
  if (session) await Promise.race([session.finish({ exitCode: 3 }), turn()]);
  if (program.byte() % 2 === 0) client.push(null);
  else client.destroy();
  for (let turns = 0; turns < 4; turns++) await turn();
  client.destroy();
  for (let turns = 0; turns < 4; turns++) await turn();
  if (kind <= 1) promise(closed === 1, () => `onClose() was called ${closed} times`);
  for (const stream of streams) promise(stream.destroyed, () => "a stream outlives its connection");
  await over;
  checkSent(Buffer.concat(client.sent));
}

/** What the daemon's side does with a stream. */
function act(stream: SpdyStream | undefined, program: Program): void {
  switch (program.byte() % 5) {
    case 0:
      stream?.resume();
      break;
    case 1:
      stream?.pause();
      break;
    case 2:
      if (stream?.writable) stream.write(Buffer.alloc(1 + (program.byte() << 8)));
      break;
    case 3:
      stream?.end();
      break;
    default:
      stream?.destroy();
  }
}

/** Frames of our version; the last may have been cut short by the end of the connection. */
function checkSent(sent: Buffer): void {
  for (let at = 0; at < sent.length; ) {
    if (at + headerBytes > sent.length) return;
    const { control, length } = readFrameHeader(sent.subarray(at));
    promise(!control || control.version === 3, () => "what was sent is no frame");
    at += headerBytes + length;
  }
}

/** Headers as a zlib stream holds them that does not compress (RFC 1951, 3.2.4). */
function stored(block: Buffer, isFirst: boolean): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt16LE(block.length & 0xffff, 1);
  header.writeUInt16LE(~block.length & 0xffff, 3);
  return Buffer.concat([isFirst ? zlibStart : Buffer.alloc(0), header, block, Buffer.from("000000ffff", "hex")]);
}

class FakeWebSocket extends EventEmitter {
  bufferedAmount = 0;
  paused = false;
  closed = false;

  send(_message: unknown, done: (error?: Error) => void): void {
    setImmediate(() => done(this.closed ? new Error("it is closed") : undefined));
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  close(): void {
    this.terminate();
  }
  terminate(): void {
    if (this.closed) return;
    this.closed = true;
    setImmediate(() => this.emit("close"));
  }
}

async function runChannels(program: Program): Promise<void> {
  const socket = new FakeWebSocket();
  const protocol = channelProtocols[program.byte() % channelProtocols.length]!;
  const flags = { stdin: true, stdout: program.byte() % 2 === 0, stderr: true, tty: program.byte() % 2 === 0 };
  const session = openWebSocketSession(socket as unknown as WebSocket, protocol, flags);
  for (let steps = 0; !program.isOver && steps < 400 && !socket.closed; steps++) {
    switch (program.byte() % 6) {
      case 0:
        session.stdin?.resume();
        break;
      case 1:
        session.stdin?.pause();
        break;
      case 2:
        await turn();
        break;
      case 3:
        socket.emit("ping");
        break;
      default:
        // ws sends nothing up while it is paused
        if (!socket.paused) socket.emit("message", program.take());
    }
  }
  const finished = session.finish({ error: new BerthError("Internal", "x") });
  for (let turns = 0; turns < 8; turns++) await turn();
  socket.terminate();
  for (let turns = 0; turns < 4; turns++) await turn();
  await finished;
  // where the client had closed it, what came before is still there to be read
  session.stdin?.resume();
  await turn();
  promise(session.gone.aborted, () => "nobody is told that the client has gone");
  promise(session.stdin?.destroyed !== false, () => "stdin outlives its connection");
}

/** Lets the loop turn, and what inflates on another thread come back. */
const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

function seeds(): Buffer[] {
  const open = (name: number, port = 81) => [2, name, port, 1, 1, 1];
  const data = (id: number, ...bytes: number[]) => [5, bytes.length, 0, ...bytes, id, 0];
  return [
    [0, ...open(0), 11, 1, 7, 0, 0, 7, 0, 2, 3, ...data(3, 65, 66), 11, 1, 7, 0, 3, 11, 1],
    [1, 1, 2, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, ...open(1), 6, 3, 0, 9, 7, 0, 2, 255, 10, 11, 1, 11, 0],
    [
      2,
      0,
      0,
      1,
      ...open(0),
      11,
      1,
      ...open(1),
      11,
      1,
      ...open(2),
      11,
      1,
      ...open(3),
      11,
      1,
      ...open(4),
      11,
      1,
      ...data(3, 1),
    ],
    [3, ...open(3), 11, 1, ...open(5), 11, 1, ...data(5, 1, 2, 3), 11, 1, 11, 1],
    [4, 0, 0, 0, 0, 4, 3, 0, 0, 65, 66, 4, 2, 0, 255, 0, 2, 4, 2, 0, 4, 123],
  ].map((bytes) => Buffer.from(bytes));
}
