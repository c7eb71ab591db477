import { status } from "@grpc/grpc-js";
import type { Logger } from "../log";
import { withoutUserInfo } from "../../images/reference";
import { statusName, statusOf } from "./status-code";

export interface CallContext {
  /** Aborted when the client gives up or its deadline passes. */
  signal: AbortSignal;
}

export interface Rpc {
  /** As gRPC names it: runtime.v1.RuntimeService */
  service: string;
  method: string;
  /** The answer is a stream. */
  stream: boolean;
}

interface Call extends Rpc {
  request: unknown;
  /** Of the client's trace, as W3C writes it. */
  traceparent?: string;
}

/** Told of every RPC. */
export interface RpcObserver {
  started(rpc: Rpc): void;
  /** One message of the answer has gone out. */
  sent(rpc: Rpc): void;
  /** `code` as grpc-go names it: OK, NotFound. */
  handled(rpc: Rpc, outcome: { code: string; seconds: number }): void;
}

/** Makes a span of an RPC. */
export interface RpcTracer {
  around<T>(call: Call, work: () => Promise<T>): Promise<T>;
}

/** Asked too often to be told of at the usual level. */
const quiet = /^(Version|Status|Stream|RuntimeConfig|List|ImageStatus|ImageFsInfo|ContainerSt|PodSandboxSt)/;

/**
 * What happens around every RPC, once: the log line, the metrics, and the map from errors to gRPC's codes. Throws an
 * object in the shape of grpc-js's ServiceError.
 */
export class Interceptor {
  constructor(private readonly modules: { log: Logger; metrics?: RpcObserver; tracer?: RpcTracer }) {}

  /** `work` is handed what it calls for each message of a stream; the one of a unary call counts itself. */
  async around<T>(call: Call, work: (sent: () => void) => Promise<T>): Promise<T> {
    const { log, metrics, tracer } = this.modules;
    const start = performance.now();
    metrics?.started(call);
    const sent = () => metrics?.sent(call);
    const end = (code: status, error?: string) => {
      const seconds = (performance.now() - start) / 1000;
      metrics?.handled(call, { code: statusName(code), seconds });
      const fields = { ...subjectOf(call.request), ms: Math.round(seconds * 1e4) / 10, code: statusName(code), error };
      if (error !== undefined && code !== status.NOT_FOUND) log.warn(call.method, fields);
      else if (quiet.test(call.method)) log.debug(call.method, fields);
      else log.info(call.method, fields);
    };
    try {
      const result = await (tracer ? tracer.around(call, () => work(sent)) : work(sent));
      if (!call.stream) sent();
      end(status.OK);
      return result;
    } catch (error) {
      const { code, details } = statusOf(error);
      end(code, details);
      if (code === status.INTERNAL && error instanceof Error) log.debug(error.stack ?? error.message);
      throw Object.assign(new Error(details), { code, details });
    }
  }
}

/** What a request is about, for the log line and the span; never a configuration as a whole, which may hold secrets. */
export function subjectOf(request: unknown): Record<string, string> {
  const fields: Record<string, string> = {};
  const { podSandboxId, containerId, image, config } = request as Record<string, unknown>;
  if (typeof podSandboxId === "string") fields["sandbox"] = podSandboxId.slice(0, 13);
  if (typeof containerId === "string") fields["container"] = containerId.slice(0, 13);
  const name = typeof image === "string" ? image : (image as { image?: unknown } | null)?.image;
  if (typeof name === "string") fields["image"] = withoutUserInfo(name);
  const metadata = (config as { metadata?: { name?: string; namespace?: string } | null } | null)?.metadata;
  if (metadata?.name) fields["name"] = metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
  return fields;
}
