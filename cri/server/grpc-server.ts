import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import { BerthError, messageOf } from "../../api/errors";
import { type Encoded, type Init, type MethodDescription, methodsOf, type ServiceMethods } from "../../api/messages";
import type { CallContext, Interceptor } from "./interceptor";

/** What implements one service: a function an RPC; those that are missing answer UNIMPLEMENTED. */
export type Handlers<S extends keyof ServiceMethods> = {
  [M in keyof ServiceMethods[S]]?: ServiceMethods[S][M] extends {
    request: infer Request;
    response: infer Response;
    stream: infer Stream;
  }
    ? Stream extends true
      ? (request: Request, context: CallContext) => AsyncIterable<Init<Response>>
      : (request: Request, context: CallContext) => Promise<Init<Response> | Encoded<Response>>
    : never;
};

type AnyHandler = (request: unknown, context: CallContext) => unknown;

const messageLimitBytes = 16 << 20;

/** How long calls may take to come to their end once they are cancelled: a command has to be killed. */
const cancelGraceMs = 2000;

/** The gRPC server on its unix socket. */
export class GrpcServer {
  private readonly server = new grpc.Server({
    "grpc.max_receive_message_length": messageLimitBytes,
    "grpc.max_send_message_length": messageLimitBytes,
  });

  private readonly running = new Set<Promise<unknown>>();

  constructor(private readonly interceptor: Interceptor) {}

  addService<S extends keyof ServiceMethods>(name: S, handlers: Handlers<S>): void {
    const definition: Record<string, grpc.MethodDefinition<unknown, unknown>> = {};
    const implementation: grpc.UntypedServiceImplementation = {};
    for (const method of methodsOf(name)) {
      definition[method.name] = {
        path: method.path,
        requestStream: false,
        responseStream: method.stream,
        requestSerialize: (message) => method.request.encode(message as never),
        requestDeserialize: (bytes) => decodeRequest(method, bytes),
        responseSerialize: (message) => method.response.encode(message as never),
        responseDeserialize: (bytes) => method.response.decode(bytes),
      };
      const handler = (handlers as Record<string, AnyHandler | undefined>)[method.name] ?? notBuilt(method);
      implementation[method.name] = method.stream ? this.streaming(method, handler) : this.unary(method, handler);
    }
    this.server.addService(definition, implementation);
  }

  private unary(method: MethodDescription, handler: AnyHandler): grpc.handleUnaryCall<unknown, unknown> {
    const [, service = "", name = ""] = method.path.split("/");
    return (call, callback) => {
      const context = contextOf(call);
      const work = this.interceptor.around(
        { service, method: name, request: call.request, stream: false, ...traceOf(call) },
        async () => handler(checkDecoded(call.request), context),
      );
      this.noteRunning(work);
      work.then(
        (response) => callback(null, response),
        (error: grpc.ServiceError) => callback(error),
      );
    };
  }

  private streaming(method: MethodDescription, handler: AnyHandler): grpc.handleServerStreamingCall<unknown, unknown> {
    const [, service = "", name = ""] = method.path.split("/");
    return (call) => {
      const context = contextOf(call);
      this.interceptor
        .around({ service, method: name, request: call.request, stream: true, ...traceOf(call) }, async (sent) => {
          for await (const message of handler(checkDecoded(call.request), context) as AsyncIterable<unknown>) {
            if (context.signal.aborted) return;
            sent();
            // a client that does not read must not fill the memory
            if (!call.write(message)) await drained(call, context.signal);
          }
        })
        .then(
          () => call.end(),
          (error: grpc.ServiceError) => call.emit("error", error),
        );
    };
  }

  /**
   * Listens on `socket` (0660, of `gid`); one that a dead process has left is taken over. Throws FailedPrecondition
   * where a process listens there that lives.
   */
  async listen(socket: string, gid: number): Promise<void> {
    fs.mkdirSync(path.dirname(socket), { recursive: true, mode: 0o711 });
    if (await answers(socket)) {
      throw new BerthError("FailedPrecondition", `another process listens on ${socket}`, {
        hint: "stop it, or give this daemon a socket of its own",
      });
    }
    fs.rmSync(socket, { force: true });
    const before = process.umask(0o117);
    try {
      await new Promise<void>((resolve, reject) => {
        this.server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (error) =>
          error
            ? reject(new BerthError("FailedPrecondition", `can't listen on ${socket}: ${error.message}`))
            : resolve(),
        );
      });
    } finally {
      process.umask(before);
    }
    fs.chownSync(socket, 0, gid);
    fs.chmodSync(socket, 0o660);
  }

  private noteRunning(work: Promise<unknown>): void {
    const noted: Promise<unknown> = work.catch(() => {}).finally(() => this.running.delete(noted));
    this.running.add(noted);
  }

  /**
   * Takes no new calls and waits for those under way, at most `graceMs`. The clients of the others are told that it is
   * over, and what depends on them, such as commands, is ended.
   */
  async close(graceMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.server.forceShutdown();
        resolve();
      }, graceMs);
      this.server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    await Promise.race([Promise.all(this.running), sleep(cancelGraceMs)]);
  }
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.once("connect", () => resolve(true)).once("error", () => resolve(false));
    connection.once("connect", () => connection.destroy());
  });
}

/** grpc-js would answer INTERNAL for bytes that are no message, past the log and the metrics; so they come as an error. */
function decodeRequest({ path: method, request }: MethodDescription, bytes: Uint8Array): unknown {
  try {
    return request.decode(bytes);
  } catch (cause) {
    return new BerthError("InvalidArgument", `the request of ${method} can't be decoded: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function checkDecoded(request: unknown): unknown {
  if (request instanceof BerthError) throw request;
  return request;
}

function notBuilt(method: MethodDescription): AnyHandler {
  return () => {
    throw new BerthError("Unimplemented", `${method.name} is not implemented`);
  };
}

/** The client's span, where it has one (W3C Trace Context). */
function traceOf({ metadata }: { metadata: grpc.Metadata }): { traceparent?: string } {
  const [traceparent] = metadata.get("traceparent");
  return typeof traceparent === "string" ? { traceparent } : {};
}

function contextOf(call: { cancelled: boolean; on(event: "cancelled", listener: () => void): unknown }): CallContext {
  const controller = new AbortController();
  call.on("cancelled", () => controller.abort());
  if (call.cancelled) controller.abort();
  return { signal: controller.signal };
}

function drained(call: grpc.ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    call.on("drain", done);
    signal.addEventListener("abort", done);
  });
}
