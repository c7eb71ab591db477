import { Registry } from "prom-client";
import { createRpcMetrics } from "./rpc-metrics";

const rpc = (method: string) => ({ service: "runtime.v1.RuntimeService", method, stream: false });

test("latencies() tells of each method how often, how often not, and how long", async () => {
  const metrics = createRpcMetrics(new Registry());
  for (let i = 0; i < 90; i++) metrics.handled(rpc("ExecSync"), { code: "OK", seconds: 0.007 });
  for (let i = 0; i < 10; i++) metrics.handled(rpc("ExecSync"), { code: "OK", seconds: 0.2 });
  metrics.handled(rpc("ExecSync"), { code: "DeadlineExceeded", seconds: 60 });
  metrics.handled(rpc("PullImage"), { code: "OK", seconds: 1000 });
  const [exec, pull] = await metrics.latencies();
  expect(exec).toMatchObject({ method: "ExecSync", count: 101, failed: 1 });
  expect(exec!.p50).toBeGreaterThan(0.005);
  expect(exec!.p50).toBeLessThan(0.01);
  expect(exec!.p90).toBe(0.01);
  expect(exec!.p99).toBeCloseTo(0.235);
  expect(pull).toEqual({ method: "PullImage", count: 1, failed: 0, p50: 60, p90: 60, p99: 60 });
});
