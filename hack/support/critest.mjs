// Running critest, and telling what came of it: build/NAME/{junit.xml,critest.log,summary.json}.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { environment } from "./daemon.cjs";
import { readSpecs } from "./junit.mjs";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Runs critest against an endpoint, its output both shown and kept. `directory` is for what it writes of itself, `out`
 * for its report and log, `limit` a duration such as 45m; an abort of the signal ends it as Ctrl-C would.
 */
export function runCritest({ endpoint, out, directory, limit, args, signal }) {
  const temporary = path.join(directory, "tmp");
  fs.mkdirSync(temporary, { recursive: true });
  const log = fs.createWriteStream(path.join(out, "critest.log"));
  const colour = process.stdout.isTTY ? [] : ["--ginkgo.no-color"];
  const own = [
    `--runtime-endpoint=${endpoint}`,
    `--image-endpoint=${endpoint}`,
    `--ginkgo.junit-report=${path.join(out, "junit.xml")}`,
    `--ginkgo.timeout=${limit}`,
  ];
  const child = spawn(path.join(PROJECT, "build/tools/critest"), [...own, ...colour, ...args], {
    cwd: directory,
    env: { ...environment(), TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    killSignal: "SIGINT", // ginkgo then still cleans up and writes its report
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data) => {
      process.stdout.write(data);
      log.write(data);
    });
  return new Promise((resolve, reject) => {
    child.once("error", (error) => error.name !== "AbortError" && reject(error)).once("close", () => log.end(resolve));
  });
}

/** The line of gomega's report that says what happened. */
const gist = (reason) =>
  (reason.split("\n").find((line) => !/^\s*$|^Unexpected error:|^\s*<.*>: *$/.test(line)) ?? reason)
    .trim()
    .slice(0, 300);

/** Prints what the report says, writes summary.json beside it and returns that. Throws where critest left no report. */
export function summarise(out) {
  const junit = path.join(out, "junit.xml");
  if (!fs.existsSync(junit)) throw new Error("critest left no report");
  const specs = readSpecs(fs.readFileSync(junit, "utf8"));
  const of = (status) => specs.filter((spec) => spec.status === status);
  const count = (list) => Object.groupBy(list, (spec) => spec.reason || "no reason given");
  // What the command line left out says only "skipped"; benchmarks are no part of conformance.
  const reasons = Object.entries(count(of("skipped"))).map(([reason, list]) => [
    reason === "skipped" ? "not selected (benchmarks, or by the arguments)" : reason.replace(/^skipped - /, ""),
    list.length,
  ]);
  const summary = {
    total: specs.length,
    passed: of("passed").length,
    failed: of("failed").length,
    skipped: of("skipped").length,
    skippedBecause: Object.fromEntries(reasons),
    failures: of("failed").map(({ name, reason }) => ({ name, reason: gist(reason) })),
  };
  fs.writeFileSync(path.join(out, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
  for (const { name, reason } of summary.failures) console.log(`failed: ${name}\n        ${reason}`);
  console.log("\n| critest | specs |\n|---|---|");
  for (const status of ["passed", "failed", "skipped"]) console.log(`| ${status} | ${summary[status]} |`);
  for (const [reason, number] of reasons) console.log(`| skipped: ${reason} | ${number} |`);
  const shown = path.relative(PROJECT, out);
  console.log(`\nreport: ${shown}/junit.xml; daemon's log: ${shown}/berth.log`);
  return summary;
}
