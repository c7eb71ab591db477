import { status } from "@grpc/grpc-js";
import { Registry } from "prom-client";
import { BerthError } from "../../api/errors";
import { Logger } from "../log";
import { Interceptor } from "./interceptor";
import { createRpcMetrics } from "../exposition/rpc-metrics";

function setUp() {
  const lines: string[] = [];
  const registry = new Registry();
  const log = new Logger("debug", "text", (line) => lines.push(line));
  return { lines, registry, interceptor: new Interceptor({ log, metrics: createRpcMetrics(registry) }) };
}
const call = (method: string, request: object) => ({
  service: "runtime.v1.RuntimeService",
  method,
  request,
  stream: false,
});

test("around() counts a call, logs it with what it is about, and gives its result", async () => {
  const { lines, registry, interceptor } = setUp();
  const request = { containerId: "c".repeat(64) };
  expect(await interceptor.around(call("StopContainer", request), async () => 7)).toBe(7);
  expect(lines[0]).toMatch(/ info {2}StopContainer container=c{13} ms=[\d.]+ code=OK\n$/);
  expect(await registry.metrics()).toContain(
    'grpc_server_handled_total{grpc_type="unary",grpc_service="runtime.v1.RuntimeService",grpc_method="StopContainer",grpc_code="OK"} 1',
  );
});

test("around() turns an error into gRPC's, once", async () => {
  const { lines, registry, interceptor } = setUp();
  const failing = interceptor.around(call("PullImage", { image: { image: "user:secret@host/x" } }), async () => {
    throw new BerthError("PermissionDenied", "no");
  });
  await expect(failing).rejects.toMatchObject({ code: status.PERMISSION_DENIED, details: "no" });
  expect(lines[0]).toContain("code=PermissionDenied error=no");
  expect(lines[0]).not.toContain("secret");
  expect(await registry.metrics()).toContain('grpc_code="PermissionDenied"} 1');
});

test("around() keeps what is asked all the time out of the usual log", async () => {
  const { lines, interceptor } = setUp();
  await interceptor.around(call("ListContainers", {}), async () => {});
  expect(lines[0]).toContain(" debug ListContainers");
});
