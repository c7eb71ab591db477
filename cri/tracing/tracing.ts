import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TracerProvider,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import { messageOf } from "../../api/errors";
import type { PluginOutcome } from "../../cni/observed-plugin";
import type { PullOutcome } from "../../images/image-observer";
import { type RpcTracer, subjectOf } from "../server/interceptor";
import { version } from "../version";

export interface TracingOptions {
  /** The collector's base URL; spans go to /v1/traces below it. */
  endpoint: string;
  /** Of traces that begin here. Those of a client are kept where the client keeps them. */
  samplingRatePerMillion: number;
}

/** Spans of RPCs, and below them of plugin calls and pulls. */
export interface Tracing extends RpcTracer {
  cni(outcome: PluginOutcome): void;
  pulled(outcome: PullOutcome): void;
  /** Sends what is left, for so long at most. */
  stop(timeoutMs: number): Promise<void>;
}

/**
 * Sends spans by OTLP over HTTP as JSON. A span of an RPC continues the client's trace (W3C Trace Context, level 1,
 * "traceparent"). What a collector does not take is dropped; no call waits for it.
 */
export function startTracing({ endpoint, samplingRatePerMillion }: TracingOptions): Tracing {
  const exporter = new OTLPTraceExporter({ url: new URL("v1/traces", withSlash(endpoint)).href, timeoutMillis: 5000 });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "berth", "service.version": version }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(samplingRatePerMillion / 1e6) }),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 2000 })],
  });
  const tracer = provider.getTracer("berth", version);
  const current = new AsyncLocalStorage<Context>();

  /** A span of what has ended just now and took so long. */
  const endedNow = (name: string, seconds: number, attributes: Record<string, string | number>): Span => {
    const startTime = Date.now() - seconds * 1000;
    return tracer.startSpan(name, { startTime, attributes }, current.getStore() ?? ROOT_CONTEXT);
  };
  const end = (span: Span, code: string) => {
    if (code !== "OK") span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    span.end();
  };

  return {
    async around(call, work) {
      const remote = call.traceparent ? parseTraceParent(call.traceparent) : null;
      const parent = remote ? trace.setSpanContext(ROOT_CONTEXT, { ...remote, isRemote: true }) : ROOT_CONTEXT;
      const attributes = { "rpc.system": "grpc", "rpc.service": call.service, "rpc.method": call.method };
      const span = tracer.startSpan(
        `${call.service}/${call.method}`,
        { kind: SpanKind.SERVER, attributes: { ...attributes, ...prefixed(subjectOf(call.request)) } },
        parent,
      );
      try {
        return await current.run(trace.setSpan(parent, span), work);
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error).slice(0, 1024) });
        throw error;
      } finally {
        span.end();
      }
    },
    cni({ plugin, command, code, seconds }) {
      end(endedNow(`CNI ${command} ${plugin}`, seconds, { "cni.plugin": plugin, "cni.command": command }), code);
    },
    pulled({ image, code, seconds, bytes }) {
      end(endedNow("pull", seconds, { "berth.image": image, "berth.bytes": bytes }), code);
    },
    async stop(timeoutMs) {
      const late = new Promise<void>((resolve) => setTimeout(resolve, timeoutMs).unref());
      await Promise.race([provider.shutdown().catch(() => {}), late]);
    },
  };
}

const withSlash = (url: string) => (url.endsWith("/") ? url : `${url}/`);

const prefixed = (fields: Record<string, string>) =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [`berth.${key}`, value]));
