import * as grpc from "@grpc/grpc-js";
import { BerthError } from "../../api/errors";
import { type Init, type MethodDescription, methodsOf, type ServiceMethods } from "../../api/messages";
import { codeOfStatus } from "../server/status-code";

type Method<S extends keyof ServiceMethods, M extends keyof ServiceMethods[S]> = ServiceMethods[S][M] extends {
  request: infer Request;
  response: infer Response;
}
  ? { request: Request; response: Response }
  : never;

interface Streams {
  Pull: Method<"Berth", "Pull">;
  GetContainerEvents: Method<"RuntimeService", "GetContainerEvents">;
}

export interface CallOptions {
  /** When to give up, with DeadlineExceeded; the daemon is told. */
  timeoutMs?: number;
  /** Gives up when it aborts, with Cancelled; the daemon is told likewise. */
  signal?: AbortSignal;
}

/** Calls a daemon on its socket. */
export class Client {
  private readonly client: grpc.Client;
  private readonly methods = new Map<string, MethodDescription>();

  constructor(private readonly socket: string) {
    const limit = 16 << 20;
    this.client = new grpc.Client(`unix:${socket}`, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": limit,
      "grpc.max_send_message_length": limit,
    });
    for (const service of ["RuntimeService", "ImageService", "Berth"] as const) {
      for (const method of methodsOf(service)) this.methods.set(method.name, method);
    }
  }

  /** A unary call of the RuntimeService. Rejects with what the daemon says. */
  runtime<M extends keyof ServiceMethods["RuntimeService"] & string>(
    method: M,
    request: Init<Method<"RuntimeService", M>["request"]>,
    options: CallOptions = {},
  ): Promise<Method<"RuntimeService", M>["response"]> {
    return this.unary(method, request, options) as Promise<Method<"RuntimeService", M>["response"]>;
  }

  image<M extends keyof ServiceMethods["ImageService"] & string>(
    method: M,
    request: Init<Method<"ImageService", M>["request"]>,
    options: CallOptions = {},
  ): Promise<Method<"ImageService", M>["response"]> {
    return this.unary(method, request, options) as Promise<Method<"ImageService", M>["response"]>;
  }

  berth<M extends keyof ServiceMethods["Berth"] & string>(
    method: M,
    request: Init<Method<"Berth", M>["request"]>,
  ): Promise<Method<"Berth", M>["response"]> {
    return this.unary(method, request) as Promise<Method<"Berth", M>["response"]>;
  }

  private unary(name: string, request: unknown, { timeoutMs, signal }: CallOptions = {}): Promise<unknown> {
    const method = this.methods.get(name)!;
    return new Promise((resolve, reject) => {
      const call = this.client.makeUnaryRequest(
        method.path,
        (message: unknown) => method.request.encode(message as never),
        (bytes) => method.response.decode(bytes),
        request,
        new grpc.Metadata(),
        timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
        (error, response) => (error ? reject(this.explain(error)) : resolve(response)),
      );
      signal?.addEventListener("abort", () => call.cancel(), { once: true });
    });
  }

  /** A streaming call; `signal` ends it. */
  async *stream<M extends keyof Streams>(
    name: M,
    request: Init<Streams[M]["request"]>,
    signal: AbortSignal,
  ): AsyncGenerator<Streams[M]["response"]> {
    const method = this.methods.get(name)!;
    const call = this.client.makeServerStreamRequest(
      method.path,
      (message: unknown) => method.request.encode(message as never),
      (bytes) => method.response.decode(bytes),
      request,
    );
    signal.addEventListener("abort", () => call.cancel(), { once: true });
    try {
      for await (const message of call) yield message as Streams[M]["response"];
    } catch (error) {
      if (signal.aborted) return;
      throw this.explain(error as grpc.ServiceError);
    }
  }

  close(): void {
    this.client.close();
  }

  private explain(error: grpc.ServiceError): Error {
    // what a daemon has answered comes with its headers: then a part of the node is not there, and not the daemon
    const isAnswer = error.metadata?.get("content-type").length > 0;
    if (error.code === grpc.status.UNAVAILABLE && !isAnswer) {
      return new BerthError("Unavailable", `no daemon answers on ${this.socket}`, {
        hint: "start one with `berth serve`, or name its configuration with --config",
      });
    }
    return new BerthError(codeOfStatus(error.code), error.details || error.message);
  }
}
