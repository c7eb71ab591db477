import fs from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

/** A flaw of an OCI runtime that a container can use. */
interface Vulnerability {
  id: string;
  /** The first release that has it; absent for all before the fixes. */
  since?: string;
  /** The first fixed release of each line that was still kept; later lines are fixed. */
  fixedIn: string[];
}

/** As their projects' advisories tell. */
const vulnerabilities: Record<string, Vulnerability[]> = {
  runc: [
    { id: "CVE-2021-30465", fixedIn: ["1.0.0"] },
    { id: "CVE-2022-29162", fixedIn: ["1.1.2"] },
    { id: "CVE-2023-27561", fixedIn: ["1.1.5"] },
    { id: "CVE-2024-21626", fixedIn: ["1.1.12"] },
    { id: "CVE-2024-45310", fixedIn: ["1.1.14", "1.2.0"] },
    { id: "CVE-2025-31133", fixedIn: ["1.2.8", "1.3.3", "1.4.0"] },
    { id: "CVE-2025-52565", fixedIn: ["1.2.8", "1.3.3", "1.4.0"] },
    { id: "CVE-2025-52881", fixedIn: ["1.2.8", "1.3.3", "1.4.0"] },
    { id: "CVE-2026-41579", fixedIn: ["1.3.6", "1.4.3", "1.5.0"] },
  ],
  crun: [
    { id: "CVE-2022-27650", fixedIn: ["1.4.4"] },
    { id: "CVE-2025-24965", fixedIn: ["1.20"] },
    { id: "CVE-2026-30892", since: "1.19", fixedIn: ["1.27"] },
    { id: "CVE-2026-47766", fixedIn: ["1.28"] },
  ],
};

/** Those that a release has, by its version alone. */
export function vulnerabilitiesOf(runtime: string, version: string): Vulnerability[] {
  return (vulnerabilities[runtime] ?? []).filter(({ since, fixedIn }) => {
    if (since && compareVersions(version, since) < 0) return false;
    const line = fixedIn.find((fix) => sameLine(fix, version)) ?? fixedIn.at(-1)!;
    return compareVersions(version, line) < 0;
  });
}

/** Of a distribution's package, what its changelog says it has fixed: that lists the numbers of flaws. */
export function fixedByDistribution(runtime: string, documents = "/usr/share/doc"): Set<string> {
  try {
    const packed = fs.readFileSync(path.join(documents, runtime, "changelog.Debian.gz"));
    return new Set(
      gunzipSync(packed)
        .toString("latin1")
        .match(/CVE-\d+-\d+/g),
    );
  } catch {
    return new Set();
  }
}

/** Negative where `a` comes before `b`; "1.4.0-rc.1" comes before "1.4.0", "1.1.5+ds1" is 1.1.5. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)];
  for (let i = 0; i < 3; i++) {
    const difference = left.numbers[i]! - right.numbers[i]!;
    if (difference !== 0) return difference;
  }
  return Number(right.isCandidate) - Number(left.isCandidate);
}

function parse(version: string): { numbers: number[]; isCandidate: boolean } {
  const [, major = "0", minor = "0", patch = "0", rest = ""] =
    /^(\d+)(?:\.(\d+))?(?:\.(\d+))?(.*)$/.exec(version) ?? [];
  return { numbers: [major, minor, patch].map(Number), isCandidate: /^[-~]rc/.test(rest) };
}

function sameLine(fix: string, version: string): boolean {
  const [a, b] = [parse(fix).numbers, parse(version).numbers];
  return a[0] === b[0] && a[1] === b[1];
}
