import fs from "node:fs";
import path from "node:path";
import { BerthError, codeOf, type ErrorCode, messageOf } from "../api/errors";
import { type RunProcess, runBounded } from "./bounded-process";
import type { JsonObject } from "./json-object";
import type { NetworkConfig } from "./network-config";
import { readPluginError } from "./plugin-error";
import { printableText } from "./printable-text";

export type CniCommand = "ADD" | "DEL" | "CHECK" | "STATUS" | "GC";

/** What a call is about; STATUS and GC concern no sandbox. */
export interface PluginSubject {
  sandboxId: string;
  /** Empty where the namespace is gone (CNI spec 1.1.0, section 2 "DEL"). */
  netnsPath: string;
  ifName: string;
  /** CNI_ARGS, already put together. */
  args: string;
}

export interface PluginCall {
  command: CniCommand;
  type: string;
  /** The network's name, for messages. */
  network: string;
  /** What the plugin reads on its stdin. */
  config: JsonObject;
  subject?: PluginSubject;
}

/** Runs one plugin once and returns its stdout. */
export type CallPlugin = (call: PluginCall) => Promise<string>;

export interface PluginOptions {
  /** Searched in order. */
  binDirs: string[];
  timeoutMs: number;
}

interface Failure {
  code: ErrorCode;
  why: string;
  hint?: string;
}

const outputLimitBytes = 1024 * 1024;
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Makes what calls plugins as child processes (CNI spec 1.1.0, section 2 "Execution protocol"). A call throws an error
 * that names plugin, command and network: FailedPrecondition where the binary is missing, DeadlineExceeded at the time
 * limit, else what the plugin said. Plugins see PATH and CNI_* of the environment and nothing else of the daemon's.
 */
export function pluginCaller({ binDirs, timeoutMs }: PluginOptions, run: RunProcess = runBounded): CallPlugin {
  return async (call) => {
    const fail = (code: ErrorCode, why: string, hint?: string) => failure(call, { code, why, hint });
    const file = findPlugin(call.type, binDirs);
    if (!file) throw fail("FailedPrecondition", notFound(binDirs), missingHint);
    const request = {
      file,
      env: environment(call, binDirs),
      input: JSON.stringify(call.config),
      timeoutMs,
      limitBytes: outputLimitBytes,
    };
    const outcome = await run(request).catch((error: unknown) => {
      throw fail(codeOf(error), `${file} could not be started: ${messageOf(error)}`);
    });
    if (outcome.timedOut) {
      const said = printableText(outcome.stderr);
      throw fail("DeadlineExceeded", `killed after ${timeoutMs / 1000} s${said ? `: ${said}` : ""}`);
    }
    if (outcome.flooded) throw fail("Internal", `killed: it printed more than ${outputLimitBytes} bytes`);
    if (outcome.exitCode !== 0) {
      const { code, message } = readPluginError(outcome);
      throw fail(code, message);
    }
    return outcome.stdout;
  };
}

/**
 * Throws FailedPrecondition where a plugin of `network` is missing. To be asked before the first ADD: with a plugin
 * missing in the middle of a list, neither could the rest be added nor what was added be deleted.
 */
export function checkPluginsExist(network: NetworkConfig, binDirs: string[]): void {
  for (const { type } of network.plugins) {
    if (findPlugin(type, binDirs)) continue;
    const call = { command: "ADD" as const, type, network: network.name, config: {} };
    throw failure(call, { code: "FailedPrecondition", why: notFound(binDirs), hint: missingHint });
  }
}

/** An error about one call, in the words that all of them share. */
export function failure(call: PluginCall, { code, why, hint }: Failure): BerthError {
  return new BerthError(code, `CNI plugin ${call.type} (${call.command}, network ${call.network}): ${why}`, { hint });
}

const missingHint = "install the plugin, or name its directory in cni.bin_dirs";
const notFound = (binDirs: string[]) => `there is no such plugin in ${binDirs.join(", ") || "any directory"}`;

/** Synchronous: it takes some 10 µs, and would else wait for what unpacks layers in libuv's threads. */
function findPlugin(type: string, binDirs: string[]): string | undefined {
  return binDirs
    .map((directory) => path.join(directory, type))
    .find((file) => {
      try {
        return fs.statSync(file).isFile();
      } catch {
        return false;
      }
    });
}

function environment({ command, subject }: PluginCall, binDirs: string[]): Record<string, string> {
  const base = { PATH: process.env["PATH"] || defaultPath, CNI_COMMAND: command, CNI_PATH: binDirs.join(":") };
  if (!subject) return base;
  return {
    ...base,
    CNI_CONTAINERID: subject.sandboxId,
    CNI_NETNS: subject.netnsPath,
    CNI_IFNAME: subject.ifName,
    CNI_ARGS: subject.args,
  };
}
