/** The wall clock in ns since 1970, never the same twice and never going back within this process. */
let last = 0n;
export function nowNs(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
  last = now > last ? now : last + 1n;
  return last;
}
