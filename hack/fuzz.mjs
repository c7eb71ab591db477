#!/usr/bin/env node
// Fuzzes the parsers of what strangers write: npm run fuzz [-- [--seconds N] [--seed N] [TARGET...]]
import { fork } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { instrument } from "./support/instrument.mjs";

const rooms = ["api", "sys", "cni", "images", "oci", "cri"];
const folder = "test/fuzz/targets";
/** Where files are in memory. */
const memory = "/dev/shm";
/** A child that says nothing for so long hangs; it tells each second how far it is. */
const silenceMs = 60_000;

const { values, positionals } = parseArgs({
  options: { seconds: { type: "string", default: "600" }, seed: { type: "string" }, at: { type: "string" } },
  allowPositionals: true,
});
const all = fs.readdirSync(folder).map((name) => path.basename(name, ".ts"));
const unknown = positionals.find((name) => !all.includes(name));
if (unknown) {
  console.error(`there is no target "${unknown}"; there are ${all.join(", ")}`);
  process.exit(2);
}
const wanted = positionals.length > 0 ? positionals : all;
const seed = Number(values.seed ?? Date.now() % 2 ** 31);

let failed = false;
for (const name of wanted) {
  const result = await fuzzTarget(name);
  console.log(`${name}: ${result.summary} (seed ${seed})`);
  for (const { file, text } of result.findings) console.log(`\n${file}\n${text}\n`);
  failed ||= result.findings.length > 0;
}
process.exitCode = failed ? 1 : 0;

async function fuzzTarget(name) {
  const output = path.join(values.at ?? "build/fuzz", name);
  fs.rmSync(output, { recursive: true, force: true });
  fs.mkdirSync(output, { recursive: true });
  const found = { blocks: 0, literals: new Set() };
  const script = path.join(output, "target.js");
  await build({
    stdin: {
      contents: `import { main } from "./child"; import { target } from "./targets/${name}"; main(target);`,
      resolveDir: path.resolve("test/fuzz"),
      loader: "ts",
    },
    outfile: script,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    external: ["koffi"],
    sourcemap: "inline",
    logLevel: "warning",
    plugins: [instrument(rooms, found)],
  });
  return await run(script, {
    seconds: Number(values.seconds),
    seed,
    cases: path.resolve("test/fuzz/cases", name),
    output,
    blocks: found.blocks,
    literals: [...found.literals],
  });
}

function run(script, options) {
  return new Promise((resolve) => {
    const directory = fs.mkdtempSync(path.join(fs.existsSync(memory) ? memory : os.tmpdir(), "berth-fuzz-"));
    const child = fork(script, {
      execArgv: ["--enable-source-maps", "--max-old-space-size=1024"],
      // koffi is not bundled, and the script may lie anywhere
      env: { ...process.env, NODE_PATH: path.resolve("node_modules"), FUZZ_DIRECTORY: directory },
    });
    const findings = [];
    let report;
    let executions = 0;
    /** The input that was running becomes the finding. */
    const lost = (text) => {
      const file = path.join(options.output, "finding-last");
      fs.copyFileSync(path.join(options.output, "current"), file);
      findings.push({ file, text });
    };
    const hang = () => {
      lost(`nothing came for ${silenceMs / 1000} s`);
      child.kill("SIGKILL");
    };
    let timer = setTimeout(hang, silenceMs);
    child.on("message", (message) => {
      clearTimeout(timer);
      timer = setTimeout(hang, silenceMs);
      if (message.alive) executions = message.alive;
      if (message.finding) findings.push(message.finding);
      if (message.died) lost(message.died);
      if (message.report) report = message.report;
    });
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      fs.rmSync(directory, { recursive: true, force: true });
      if (!report && findings.length === 0) lost(`the process ended by ${signal ?? `exit code ${code}`}`);
      const covered = report
        ? `${report.covered} of ${report.blocks} blocks, ${report.corpus} inputs kept`
        : "cut short";
      const count = report?.executions ?? executions;
      const cases = report?.cases ?? 0;
      resolve({
        findings,
        summary: `${count} executions in ${options.seconds} s, ${covered}, ${cases} cases, ${findings.length} findings`,
      });
    });
    child.send(options);
  });
}
