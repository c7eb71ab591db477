/** All that runtimes and monitors get of an environment: nothing of the daemon's own is for them. */
export function runtimeEnvironment(): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" };
}
