import http from "node:http";
import type { AddressInfo } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { type Init, methodsOf, type PodSandboxConfig } from "../../api/messages";
import { startDaemon, type TestDaemon } from "../support/daemon";

jest.setTimeout(20_000);

/** Spans as a collector gets them over OTLP. */
let collector: http.Server;
let daemon: TestDaemon;
const spans: Span[] = [];

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code?: number; message?: string };
  attributes: { key: string; value: { stringValue?: string } }[];
}
interface Export {
  resourceSpans: { resource: { attributes: Span["attributes"] }; scopeSpans: { spans: Span[] }[] }[];
}
let service = "";

beforeAll(async () => {
  collector = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    expect(request.url).toBe("/v1/traces");
    const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Export;
    for (const { resource, scopeSpans } of resourceSpans) {
      service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue ?? "";
      spans.push(...scopeSpans.flatMap((scope) => scope.spans));
    }
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  daemon = await startDaemon({ options: { tracing: { endpoint } } });
}, 30_000);

afterAll(async () => {
  await daemon?.remove();
  collector?.closeAllConnections();
  await new Promise((resolve) => collector?.close(resolve));
}, 30_000);

/** A call as the kubelet makes it, with the span it belongs to. */
function call(name: string, request: unknown, traceparent?: string): Promise<unknown> {
  const method = methodsOf("RuntimeService").find((each) => each.name === name)!;
  const client = new grpc.Client(daemon.endpoint.replace("unix://", "unix:"), grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  if (traceparent) metadata.set("traceparent", traceparent);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      (message: unknown) => method.request.encode(message as never),
      (bytes) => method.response.decode(bytes),
      request,
      metadata,
      (error, response) => {
        client.close();
        if (error) reject(error);
        else resolve(response);
      },
    );
  });
}

test("the kubelet's trace goes on through the calls of plugins; what it does not keep is not sent", async () => {
  const [kept, dropped, parent] = ["a".repeat(32), "d".repeat(32), "b".repeat(16)];
  const config: Init<PodSandboxConfig> = { metadata: { name: "traced", namespace: "default", uid: "t" }, linux: {} };
  const { podSandboxId } = (await call("RunPodSandbox", { config }, `00-${kept}-${parent}-01`)) as {
    podSandboxId: string;
  };
  await call("RemovePodSandbox", { podSandboxId }, `00-${dropped}-${parent}-00`);
  await expect(call("StartContainer", { containerId: "none" }, `00-${kept}-${parent}-01`)).rejects.toThrow("not found");
  await call("Version", {});
  await call("Version", {}, "nonsense");
  // what was not sent yet goes out when the daemon ends
  await daemon.stop();

  expect(service).toBe("berth");
  expect(spans.every(({ traceId }) => traceId === kept)).toBe(true);
  const run = spans.find(({ name }) => name === "runtime.v1.RuntimeService/RunPodSandbox")!;
  expect(run).toMatchObject({ parentSpanId: parent, kind: 2 });
  expect(run.attributes).toContainEqual({ key: "berth.name", value: { stringValue: "default/traced" } });
  const plugins = spans.filter(({ name }) => name.startsWith("CNI "));
  expect(plugins.map(({ name }) => name).sort()).toEqual(["CNI ADD bridge", "CNI ADD portmap"]);
  for (const { parentSpanId, startTimeUnixNano, endTimeUnixNano } of plugins) {
    expect(parentSpanId).toBe(run.spanId);
    expect(BigInt(endTimeUnixNano)).toBeGreaterThan(BigInt(startTimeUnixNano));
  }
  const failed = spans.find(({ name }) => name === "runtime.v1.RuntimeService/StartContainer")!;
  expect(failed.status).toEqual({ code: 2, message: 'container "none" not found' });
  expect(spans).toHaveLength(4);
});

test("a collector that is gone holds up nothing", async () => {
  await new Promise((resolve) => {
    collector.closeAllConnections();
    collector.close(resolve);
  });
  await daemon.start();
  await call("Version", {}, `00-${"a".repeat(32)}-${"b".repeat(16)}-01`);
  const began = performance.now();
  await daemon.stop();
  expect(performance.now() - began).toBeLessThan(9000);
});
