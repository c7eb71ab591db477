import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { parse } from "yaml";
import { Crictl } from "../support/crictl";
import { environment, startDaemon, type TestDaemon } from "../support/daemon";
import { type Family, familyOf, parseExposition, readExpression } from "../support/exposition";
import { busyboxImage } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";
import { freePort } from "../support/unique";

jest.setTimeout(20_000);

/** What a daemon that has worked exports, and that what is made for it names nothing else. */
const project = path.join(__dirname, "../..");
let registry: TestRegistry;
let daemon: TestDaemon;
let address = "";
let exported: Map<string, Family>;
let scraped = "";

beforeAll(async () => {
  registry = await testRegistry();
  const image = await registry.push("test/busybox", busyboxImage());
  address = `127.0.0.1:${await freePort()}`;
  daemon = await startDaemon({ registry: registry.url, options: { metrics: { address } } });
  const crictl = new Crictl(daemon);
  await work(crictl, image);
  scraped = await (await fetch(`http://${address}/metrics`)).text();
  exported = parseExposition(scraped);
}, 60_000);

afterAll(async () => {
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

/** A pod's whole life with a subscriber to it, a pull that succeeds and one that fails, and an image that goes. */
async function work(crictl: Crictl, image: string): Promise<void> {
  const own = ["--config", path.join(daemon.directory, "crictl.yaml"), "--runtime-endpoint", daemon.endpoint];
  await crictl.run("pull", image);
  await crictl.try("pull", `${registry.address}/test/absent`);
  const watcher = spawn(path.join(project, "build/tools/crictl"), [...own, "events"], { env: environment() });
  try {
    await sleep(500);
    const config = { metadata: { name: "m", namespace: "default", uid: "m" }, linux: {} };
    const pod = await crictl.run("runp", crictl.file("pod.json", config));
    const containerConfig = { metadata: { name: "c" }, image: { image }, command: ["sleep", "60"], linux: {} };
    const files = [crictl.file("container.json", containerConfig), crictl.file("pod.json", config)];
    const container = await crictl.run("create", "--no-pull", pod, ...files);
    await crictl.run("start", container);
    await crictl.run("exec", "--sync", container, "true");
    await crictl.run("rmp", "--force", pod);
    await crictl.run("rmi", image);
  } finally {
    watcher.kill("SIGKILL");
  }
}

/** One sample's value, of a series as Prometheus writes it. */
const sampleOf = (series: string) =>
  Number(
    scraped
      .split("\n")
      .find((line) => line.startsWith(`${series} `))
      ?.split(" ")
      .at(-1),
  );

test("what was done is counted, under the names that containerd has too", async () => {
  const runtime = 'grpc_type="unary",grpc_service="runtime.v1.RuntimeService",grpc_method="RunPodSandbox"';
  expect(sampleOf(`grpc_server_started_total{${runtime}}`)).toBe(1);
  expect(sampleOf(`grpc_server_handled_total{${runtime},grpc_code="OK"}`)).toBe(1);
  expect(sampleOf(`grpc_server_handling_seconds_count{${runtime}}`)).toBe(1);
  expect(sampleOf(`grpc_server_msg_sent_total{${runtime}}`)).toBe(1);
  expect(sampleOf('berth_rpc_duration_seconds_count{method="RunPodSandbox",code="OK"}')).toBe(1);
  expect(sampleOf('berth_image_pull_duration_seconds_count{result="OK"}')).toBe(1);
  expect(sampleOf('berth_image_pull_duration_seconds_count{result="NotFound"}')).toBe(1);
  expect(sampleOf("berth_image_pulls_in_progress")).toBe(0);
  expect(sampleOf("berth_image_pull_bytes_total")).toBeGreaterThan(100_000);
  expect(sampleOf("berth_image_pull_throughput_bytes_per_second_count")).toBe(1);
  for (const verb of ["ADD", "DEL"]) {
    const call = `plugin="bridge",verb="${verb}",result="OK"`;
    expect(sampleOf(`berth_cni_call_duration_seconds_count{${call}}`)).toBe(1);
  }
  expect(sampleOf('berth_image_gc_removed_total{kind="layer"}')).toBe(1);
  expect(sampleOf('berth_sandboxes{state="ready"}')).toBe(0);
  expect(sampleOf("berth_network_ready")).toBe(1);
  expect(sampleOf('berth_cni_attachments{owner="none"}')).toBe(0);
  expect(sampleOf("berth_events_dropped_total")).toBe(0);
});

test("containerd's path is served too, and nothing else", async () => {
  expect((await fetch(`http://${address}/v1/metrics`)).status).toBe(200);
  expect((await fetch(`http://${address}/metrics/..%2f`)).status).toBe(404);
  expect((await fetch(`http://${address}/metrics`, { method: "POST" })).status).toBe(405);
});

/** Labels that Prometheus itself puts on. */
const ofPrometheus = ["job", "instance", "le", "alertname"];
/** Labels whose every value is there from the start. */
const closed = ["state", "owner", "kind", "directory"];

/** What an expression names and a daemon does not have. */
function unknownIn(expression: string): string[] {
  const { selectors, groupedBy } = readExpression(expression);
  const problems: string[] = [];
  const labels = new Set<string>(ofPrometheus);
  for (const { metric, matchers } of selectors) {
    if (metric === "up") continue;
    const family = familyOf(exported, metric);
    if (!family) {
      problems.push(`there is no metric ${metric}`);
      continue;
    }
    for (const label of family.labels.keys()) labels.add(label);
    for (const { label, operator, value } of matchers) {
      const values = family.labels.get(label);
      if (!values && !ofPrometheus.includes(label)) problems.push(`${metric} has no label ${label}`);
      if (values && closed.includes(label) && operator === "=" && !values.has(value))
        problems.push(`${metric} has no ${label}="${value}"`);
    }
  }
  return [...problems, ...groupedBy.filter((each) => !labels.has(each)).map((each) => `nothing has a label ${each}`)];
}

interface Rule {
  alert: string;
  expr: string;
  annotations: Record<string, string>;
}
interface Panel {
  title: string;
  targets?: { expr: string; legendFormat: string }[];
}

test("every alert is made of what is exported", () => {
  const text = fs.readFileSync(path.join(project, "manifests/prometheus/berth-rules.yaml"), "utf8");
  const rules = (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(10);
  expect(rules.flatMap(({ alert, expr }) => unknownIn(expr).map((each) => `${alert}: ${each}`))).toEqual([]);
  for (const { expr, annotations } of rules) {
    const shown = [
      ...Object.values(annotations)
        .join(" ")
        .matchAll(/\$labels\.(\w+)/g),
    ].map(([, label]) => label!);
    const known = labelsOf(expr);
    expect(shown.filter((label) => !known.has(label))).toEqual([]);
  }
});

test("every panel of the dashboard is made of what is exported", () => {
  const text = fs.readFileSync(path.join(project, "manifests/grafana/berth-dashboard.json"), "utf8");
  const { panels, templating } = JSON.parse(text) as { panels: Panel[]; templating: { list: { query: unknown }[] } };
  const targets = panels.flatMap(({ title, targets: all }) => (all ?? []).map((target) => ({ title, ...target })));
  expect(targets.length).toBeGreaterThan(20);
  expect(targets.flatMap(({ title, expr }) => unknownIn(expr).map((each) => `${title}: ${each}`))).toEqual([]);
  for (const { expr, legendFormat } of targets) {
    const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
    const known = labelsOf(expr);
    expect(shown.filter((label) => !known.has(label))).toEqual([]);
  }
  const asked = [...JSON.stringify(templating).matchAll(/label_values\((\w+), (\w+)\)/g)];
  expect(asked.map(([, metric]) => familyOf(exported, metric!) !== undefined)).toEqual([true]);
});

/** The labels that the result of an expression can have. */
function labelsOf(expression: string): Set<string | undefined> {
  const { selectors, groupedBy } = readExpression(expression);
  if (groupedBy.length > 0) return new Set(groupedBy);
  const own = selectors.flatMap(({ metric }) => [...(familyOf(exported, metric)?.labels.keys() ?? [])]);
  return new Set([...own, ...ofPrometheus]);
}

test("every metric that the documents name is exported", () => {
  // berth_0.1.0_amd64.deb is a file
  const names = /\b(?:berth|grpc_server|nodejs|process)_[a-z][a-z0-9_]*\b/g;
  const files = [
    "README.md",
    "manifests/README.md",
    ...fs.readdirSync(path.join(project, "docs")).map((f) => `docs/${f}`),
  ];
  const unknown = files.flatMap((file) =>
    [...fs.readFileSync(path.join(project, file), "utf8").matchAll(names)]
      .filter(([name]) => !familyOf(exported, name))
      .map(([name]) => `${file}: ${name}`),
  );
  expect(unknown).toEqual([]);
});

test("every metric of its own that is exported is in the reference", () => {
  const reference = fs.readFileSync(path.join(project, "docs/metrics.md"), "utf8");
  const own = [...exported.keys()].filter((name) => /^(berth|grpc_server)_/.test(name));
  expect(own.filter((name) => !reference.includes(`\`${name}\``))).toEqual([]);
});
