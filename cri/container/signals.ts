import os from "node:os";
import { BerthError } from "../../api/errors";
import { Signal } from "../../api/messages";

const names = new Map<number, string>(
  Object.entries(Signal).map(([name, value]) => [value, name.replace("SIGNAL_", "")]),
);
const realTimeMin = 34;
const realTimeMax = 64;

/** The kernel's number of the CRI's signal; undefined for the runtime's own choice. Throws InvalidArgument. */
export function signalOfRequest(signal: Signal): number | undefined {
  const name = names.get(signal);
  if (name === undefined) throw new BerthError("InvalidArgument", `the stop signal ${signal} is unknown`);
  return name === "RUNTIME_DEFAULT" ? undefined : signalNumber(name);
}

/**
 * The kernel's number of a signal named as images name it: "SIGTERM", "TERM", "15", "SIGRTMIN+3" (image spec,
 * config.md, StopSignal). Undefined for what is none.
 */
export function signalNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= realTimeMax ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:(?:\+|PLUS|-|MINUS)(\d+))?$/.exec(name);
  if (realTime) {
    const offset = Number(realTime[2] ?? 0);
    const number = realTime[1] === "MIN" ? realTimeMin + offset : realTimeMax - offset;
    return number >= realTimeMin && number <= realTimeMax ? number : undefined;
  }
  if (name === "CLD") return os.constants.signals.SIGCHLD;
  return (os.constants.signals as Record<string, number>)[`SIG${name}`];
}

/** The CRI's signal of the kernel's number, for the status. */
export function signalForStatus(number: number): Signal {
  for (const [signal, name] of names) if (name !== "RUNTIME_DEFAULT" && signalNumber(name) === number) return signal;
  return Signal.SIGNAL_RUNTIME_DEFAULT;
}
