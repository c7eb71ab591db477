let last = 0n;

/** Nothing is told to have happened before `ns`: for what an earlier run has told, should the host's clock have gone back. */
export function continueClock(ns: bigint): void {
  if (ns > last) last = ns;
}

/** The wall clock in ns since 1970, never the same twice and never going back, also where the host's clock does. */
export function nowNs(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
  last = now > last ? now : last + 1n;
  return last;
}
