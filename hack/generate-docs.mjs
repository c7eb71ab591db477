#!/usr/bin/env node
// Makes docs/configuration.md of the configuration's schema and docs/metrics.md of the metrics that are registered.
// usage: hack/generate-docs.mjs [--check]    --check writes nothing and fails where a file is not up to date
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));

/** The project's own modules, as they are now. */
async function source() {
  const file = path.join(PROJECT, "build/docs-source.cjs");
  const contents = `
    export { configSchema } from "./api/config/schema";
    export { describeReload } from "./api/config/reload";
    export { createMetrics } from "./cri/exposition/metrics";
  `;
  await build({
    stdin: { contents, resolveDir: PROJECT, loader: "ts" },
    outfile: file,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "warning",
  });
  return createRequire(import.meta.url)(file);
}

const HEAD = "<!-- Made by hack/generate-docs.mjs: change it there, or what it reads. -->\n";
const cell = (text) => text.replaceAll("|", "\\|");

function expected(option) {
  switch (option.kind) {
    case "integer":
      return `${option.min} to ${option.max}`;
    case "choice":
      return option.choices.join(", ");
    case "boolean":
      return "true, false";
    case "strings":
      return "list of texts";
    default:
      return "text";
  }
}

function configuration({ configSchema, describeReload }) {
  const lines = [
    HEAD,
    "# Configuration",
    "",
    "`/etc/berth/config.toml`, or the file that `--config` names, then each `config.d/*.toml` beside it by name. What is",
    "not set has its default; lists are replaced, not joined. A wrong key or value is told with file and line, and the",
    "daemon does not start with it.",
    "",
    "`berth config default` prints a file to start from, `berth config dump` what is in force. On SIGHUP",
    '(`systemctl reload berth`) the files are read again: what the last column says "at once" of holds from then on, the',
    "log lists it, and what else has changed is listed as waiting for a restart. A restart harms no pod.",
    "",
  ];
  const section = (options, prefix, title, doc) => {
    const plain = Object.entries(options).filter(([, { kind }]) => kind !== "section" && kind !== "tables");
    lines.push(`## ${title}`, "", doc ? `${doc.replace(/\.$/, "")}.` : "", "");
    if (plain.length > 0) {
      lines.push("| Option | Default | Values | What it does | Changed by SIGHUP |", "|---|---|---|---|---|");
      for (const [name, option] of plain) {
        const key = prefix ? `${prefix}.${name}` : name;
        const value = JSON.stringify(option.default).replaceAll('","', '", "');
        const shown = ["``", value, "``"].join(" ");
        const cells = [`\`${key}\``, value.includes("`") ? shown : `\`${value}\``, expected(option), option.doc];
        lines.push(`| ${[...cells.map(cell), describeReload(key)].join(" | ")} |`);
      }
      lines.push("");
    }
    for (const [name, option] of Object.entries(options)) {
      const key = prefix ? `${prefix}.${name}` : name;
      if (option.kind === "section") section(option.options, key, `[${key}]`, option.doc);
      if (option.kind === "tables") section(option.of.options, `${key}.NAME`, `[${key}.NAME]`, option.doc);
    }
  };
  section(configSchema.options, "", "The daemon itself", "");
  return `${lines
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim()}\n`;
}

/** Stands for the node: only names are asked for. */
const nothing = new Proxy({}, { get: () => () => ({}) });

async function metrics({ createMetrics }) {
  const made = createMetrics();
  made.watch(nothing);
  const own = made.registry.getMetricsAsArray().filter(({ name }) => !/^(nodejs|process)_/.test(name));
  const lines = [
    HEAD,
    "# Metrics",
    "",
    "With `metrics.address` set, say to `127.0.0.1:1338` as containerd's is by custom, the daemon serves Prometheus's",
    "text format at `/metrics` and, where containerd has it, `/v1/metrics`. Without, nothing is counted. Whoever can",
    "connect can read: leave it on the loopback, or keep others away by a firewall. On a loopback address the page of",
    "`berth ui` is there too.",
    "",
    "`manifests/prometheus/` has a scrape configuration and alerts, `manifests/grafana/` a dashboard.",
    "What the kubelet serves of containers (CPU, memory, network) comes by the CRI and is not repeated here.",
    "",
    "| Metric | Type | Labels | What it tells |",
    "|---|---|---|---|",
  ];
  for (const { name, type, help, labelNames = [] } of own.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const labels = labelNames.map((each) => `\`${each}\``).join(", ");
    lines.push(`| ${[`\`${name}\``, type, labels, help].map(cell).join(" | ")} |`);
  }
  lines.push(
    "",
    "`grpc_server_handling_seconds` and its like have the names and labels of go-grpc-prometheus, which containerd",
    "exports too: dashboards and alerts made for those go on working. `berth_rpc_duration_seconds` has the outcome as",
    "well, and leaves streams out, which last as long as their client wants.",
    "",
    "A histogram has a count: `berth_cni_call_duration_seconds_count` and `berth_image_pull_duration_seconds_count` are",
    "how often plugins were called and images pulled.",
    "",
    "Of the process there are prom-client's own, among them `process_resident_memory_bytes`,",
    "`process_cpu_seconds_total`, `process_open_fds` and `nodejs_gc_duration_seconds`. In the place of its event-loop lag,",
    "for which an idle daemon would wake 100 times a second, stands `berth_event_loop_delay_seconds`.",
    "",
  );
  return lines.join("\n");
}

const modules = await source();
const made = { "docs/configuration.md": configuration(modules), "docs/metrics.md": await metrics(modules) };
const stale = [];
for (const [name, text] of Object.entries(made)) {
  const file = path.join(PROJECT, name);
  if (process.argv.includes("--check")) {
    if (!fs.existsSync(file) || fs.readFileSync(file, "utf8") !== text) stale.push(name);
  } else fs.writeFileSync(file, text);
}
if (stale.length > 0) {
  console.error(`not up to date: ${stale.join(", ")}; run hack/generate-docs.mjs`);
  process.exit(1);
}
process.exit(0); // what prom-client watches would keep the process
