import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { compareVersions, fixedByDistribution, vulnerabilitiesOf } from "./vulnerabilities";

const ids = (runtime: string, version: string) => vulnerabilitiesOf(runtime, version).map(({ id }) => id);

test("vulnerabilitiesOf() goes by the release's own line", () => {
  expect(ids("runc", "1.5.2")).toEqual([]);
  expect(ids("runc", "1.3.6")).toEqual([]);
  expect(ids("runc", "1.3.5")).toEqual(["CVE-2026-41579"]);
  expect(ids("runc", "1.2.8")).toEqual(["CVE-2026-41579"]);
  expect(ids("runc", "1.1.14")).toEqual(["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881", "CVE-2026-41579"]);
  expect(ids("runc", "1.1.11")).toContain("CVE-2024-21626");
  expect(ids("runc", "1.1.12")).not.toContain("CVE-2024-21626");
  expect(ids("runc", "1.4.0-rc.1")).toContain("CVE-2025-31133");
  expect(ids("crun", "1.8.1")).toEqual(["CVE-2025-24965", "CVE-2026-47766"]);
  expect(ids("crun", "1.20")).toEqual(["CVE-2026-30892", "CVE-2026-47766"]);
  expect(ids("crun", "1.28")).toEqual([]);
  expect(ids("kata", "1.0")).toEqual([]);
});

test("compareVersions() knows candidates and what distributions add", () => {
  expect(compareVersions("1.1.5+ds1", "1.1.5")).toBe(0);
  expect(compareVersions("1.10", "1.9.2")).toBeGreaterThan(0);
  expect(compareVersions("1.4.0-rc.3", "1.4.0")).toBeLessThan(0);
});

test("fixedByDistribution() reads the package's changelog, and nothing where there is none", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-changelog-"));
  try {
    fs.mkdirSync(path.join(directory, "runc"));
    const file = path.join(directory, "runc", "changelog.Debian.gz");
    fs.writeFileSync(file, gzipSync("runc (1.1.5+ds1-1+deb12u1) bookworm-security\n  * Fix CVE-2024-21626\n"));
    expect([...fixedByDistribution("runc", directory)]).toEqual(["CVE-2024-21626"]);
    expect(fixedByDistribution("crun", directory).size).toBe(0);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
