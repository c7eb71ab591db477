import { findProgram, runProcess } from "../../sys/spawn";
import { type Finding, findings, type Node } from "./finding";
import { compareVersions, fixedByDistribution, vulnerabilitiesOf } from "./vulnerabilities";

/** The least that Berth was tried with. */
const least: Record<string, string> = { crun: "1.8", runc: "1.1", conmon: "2.1" };

/** The programs that containers are run by, their versions, and known flaws of those. */
export async function checkPrograms({ config }: Node): Promise<Finding[]> {
  const { list, ok, info, warning, error } = findings("programs");
  const handlers = new Map(Object.entries(config.runtime.handlers).map(([name, { path }]) => [name, path || name]));
  for (const name of ["crun", "runc"]) if (!handlers.has(name) && findProgram(name)) handlers.set(name, name);
  if (handlers.size === 0) error("there is no OCI runtime", "install crun (Debian: apt-get install crun)");
  for (const [name, binary] of handlers) {
    const file = findProgram(binary);
    if (!file) {
      error(
        `the runtime of handler "${name}" is missing: ${binary}`,
        `install it, or correct runtime.handlers.${name}.path`,
      );
      continue;
    }
    const { kind, version } = await versionOf(file);
    const minimum = least[kind];
    if (minimum && compareVersions(version, minimum) < 0)
      error(`${file} is ${kind} ${version}`, `install ${kind} ${minimum} or later`);
    const fixed = file.startsWith("/usr/local") ? new Set<string>() : fixedByDistribution(kind);
    const open = vulnerabilitiesOf(kind, version).filter(({ id }) => !fixed.has(id));
    if (open.length === 0) ok(`${name}: ${file}, ${kind} ${version}`);
    else {
      const fix = open
        .flatMap(({ fixedIn }) => fixedIn.slice(-1))
        .sort(compareVersions)
        .at(-1);
      warning(
        `${name}: ${file}, ${kind} ${version}, has ${open.map(({ id }) => id).join(", ")}`,
        `install ${kind} ${fix} or later, or a package of your distribution that has the fixes`,
      );
    }
  }
  const conmon = findProgram(config.runtime.conmon);
  if (!conmon) error(`conmon is missing: ${config.runtime.conmon}`, "install it (Debian: apt-get install conmon)");
  else {
    const { version } = await versionOf(conmon);
    if (compareVersions(version, least["conmon"]!) < 0)
      error(`${conmon} is conmon ${version}`, `install conmon ${least["conmon"]} or later`);
    else ok(`${conmon}, conmon ${version}`);
  }
  for (const [name, need, source] of [
    ["unshare", "pods with user namespaces", "util-linux"],
    ["nsenter", "sysctls of pods with user namespaces", "util-linux"],
    ["iptables", "the plugins bridge and portmap", "iptables"],
  ] as const) {
    if (!findProgram(name)) info(`${name} is missing; ${need} want it`, `install ${source}`);
  }
  ok(`Node.js ${process.version}`);
  return list;
}

async function versionOf(file: string): Promise<{ kind: string; version: string }> {
  // crun would make /run/crun even for this; where it can make no directory it tells its version all the same
  const env = { XDG_RUNTIME_DIR: "/dev/null" };
  const { stdout } = await runProcess({ file, args: ["--version"], env, timeoutMs: 10_000 });
  const [, kind = "", version = "0"] = /^(\S+)\s+(?:version\s+)?(\d\S*)/m.exec(stdout) ?? [];
  return { kind, version };
}
