import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { type Material, mutateBytes } from "./mutate-bytes";
import { mutateJson } from "./mutate-json";
import { mutateTar, repairTar } from "./mutate-tar";
import { Random } from "./random";
import type { FuzzTarget } from "./target";

export interface EngineOptions {
  seconds: number;
  seed: number;
  /** Inputs of earlier findings: they are run first, and inputs are made from them. */
  cases: string;
  /** Takes `current` (the input that is running), and a file for each finding. */
  output: string;
  blocks: number;
  literals: string[];
}

export interface Finding {
  file: string;
  text: string;
}

export interface EngineReport {
  executions: number;
  /** Blocks of the sources that ran, of how many. */
  covered: number;
  blocks: number;
  corpus: number;
  cases: number;
  findings: Finding[];
}

const limitBytes = 64 << 10;
/** CPU time of one input past which it is a finding; the machine may be busy with other things. */
const slowMs = 2000;
/** Resident memory past which an input is a finding. */
const memoryLimitBytes = 1 << 30;
const mostFindings = 20;

/** What instrumented code (hack/support/instrument.mjs) calls. */
const fuzzing = {
  counts: new Uint32Array(0),
  compared: [] as (readonly [string, string])[],
  same(left: unknown, right: unknown): boolean {
    if (left === right) return true;
    const isWord = (value: unknown) => typeof value === "string" && value.length > 0 && value.length <= 64;
    if (isWord(left) && isWord(right) && fuzzing.compared.length < 256) {
      fuzzing.compared.push([left as string, right as string]);
    }
    return false;
  },
};
(globalThis as unknown as { fuzzing: typeof fuzzing }).fuzzing = fuzzing;

/**
 * Runs inputs until the time is up. An input that reaches a block of the sources for the first time, or more often by a
 * power of two, joins the corpus, from which the next are made.
 */
export async function fuzz(target: FuzzTarget, options: EngineOptions): Promise<EngineReport> {
  const { seconds, seed, cases, output, blocks, literals } = options;
  fuzzing.counts = new Uint32Array(blocks);
  const random = new Random(seed);
  const corpus: Buffer[] = [];
  const reached = new Uint32Array(blocks);
  const findings = new Map<string, Finding>();
  const dictionary = [...literals, ...(target.dictionary ?? [])]
    .map((word) => Buffer.from(word))
    .filter((w) => w.length > 0);
  let compared: (readonly [string, string])[] = [];
  let executions = 0;
  const current = fs.openSync(path.join(output, "current"), "w+");

  const attempt = async (input: Buffer): Promise<unknown> => {
    fs.ftruncateSync(current, 0);
    fs.writeSync(current, input, 0, input.length, 0);
    const startedMs = performance.now();
    const cpu = process.cpuUsage();
    try {
      const running = target.run(Buffer.from(input));
      if (running) await running;
    } catch (error) {
      return error ?? new Error("it threw nothing");
    }
    const wallMs = performance.now() - startedMs;
    if (wallMs > slowMs) {
      const { user, system } = process.cpuUsage(cpu);
      const cpuMs = (user + system) / 1000;
      if (cpuMs > slowMs) return new Error(`it took ${Math.round(cpuMs)} ms of CPU time`);
    }
    if ((wallMs > 20 || executions % 256 === 0) && process.memoryUsage.rss() > memoryLimitBytes) {
      return new Error("it takes too much memory");
    }
    return undefined;
  };

  const execute = async (input: Buffer, always: boolean): Promise<void> => {
    fuzzing.counts.fill(0);
    fuzzing.compared.length = 0;
    executions++;
    const error = await attempt(input);
    if (isNew(reached) || always) {
      corpus.push(input);
      compared = [...fuzzing.compared, ...compared].slice(0, 2048);
    }
    if (error === undefined) return;
    const key = keyOf(error);
    if (findings.has(key) || findings.size >= mostFindings) return;
    const smaller = await shrink(input, async (tried) => {
      const again = await attempt(tried);
      return again !== undefined && keyOf(again) === key;
    });
    const file = path.join(output, `finding-${createHash("sha256").update(key).digest("hex").slice(0, 12)}`);
    fs.writeFileSync(file, smaller);
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    findings.set(key, { file, text });
    fs.writeFileSync(`${file}.txt`, text);
    process.send?.({ finding: { file, text } });
  };

  const names = fs.existsSync(cases) ? fs.readdirSync(cases).sort() : [];
  for (const name of names) await execute(fs.readFileSync(path.join(cases, name)), true);
  for (const input of target.seeds()) await execute(input, true);
  const endMs = performance.now() + seconds * 1000;
  let toldMs = 0;
  while (performance.now() < endMs) {
    // the newest have been tried least
    const parent = random.chance(2) ? random.pick(corpus.slice(-32)) : random.pick(corpus);
    const material: Material = { random, dictionary, compared, other: random.pick(corpus), limitBytes };
    let input = parent;
    for (let changes = 1 + random.length(8); changes > 0; changes--) input = change(target, input, material);
    if (target.form === "tar" && !random.chance(8)) input = repairTar(input, target.formAt ?? 0);
    await execute(input, false);
    if (performance.now() - toldMs > 1000) {
      toldMs = performance.now();
      process.send?.({ alive: executions });
      // what waits for the loop must get its turn
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  target.close?.();
  fs.closeSync(current);
  const covered = reached.reduce((sum, times) => sum + (times > 0 ? 1 : 0), 0);
  return { executions, covered, blocks, corpus: corpus.length, cases: names.length, findings: [...findings.values()] };
}

function change(target: FuzzTarget, input: Buffer, material: Material): Buffer {
  const { random, other } = material;
  const { form, formAt = 0 } = target;
  if (form === "json" && !random.chance(3)) {
    const tail = mutateJson(input.subarray(formAt), { ...material, other: other.subarray(formAt) });
    if (tail) return Buffer.concat([input.subarray(0, formAt), tail]);
  }
  if (form === "tar" && random.chance(2)) return mutateTar(input, formAt, material);
  return mutateBytes(input, material);
}

/** Whether the last run reached something new; notes what it reached. */
function isNew(reached: Uint32Array): boolean {
  let found = false;
  const { counts } = fuzzing;
  for (let block = 0; block < counts.length; block++) {
    const count = counts[block]!;
    if (count === 0) continue;
    const bit = 1 << Math.min(30, 31 - Math.clz32(count));
    if ((reached[block]! & bit) === 0) {
      reached[block]! |= bit;
      found = true;
    }
  }
  return found;
}

/** Two findings are one where they come from the same place. */
function keyOf(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${typeof error}`;
  const places = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const { code } = error as NodeJS.ErrnoException;
  if (places.length === 0) return `${error.name} ${error.message.slice(0, 40)}`;
  return [error.name, code, ...places.slice(0, 3).map((line) => line.trim())].join(" | ");
}

/** Takes away what is not needed, for at most so many tries. */
async function shrink(input: Buffer, isSame: (tried: Buffer) => Promise<boolean>): Promise<Buffer> {
  let smallest = input;
  let tries = 300;
  const untilMs = performance.now() + 10_000;
  for (let size = Math.ceil(input.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < smallest.length && tries > 0 && performance.now() < untilMs; tries--) {
      const tried = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
      if (await isSame(tried)) smallest = tried;
      else at += size;
    }
  }
  return smallest;
}
