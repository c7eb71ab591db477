#!/usr/bin/env node
// Adds up build/test-results/*.json (Jest's reports, and "it passed" or "it failed" of other checks) and critest's
// summary, and prints: N passed, N failed
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const build = fileURLToPath(new URL("../build", import.meta.url));
const results = path.join(build, "test-results");
let passed = 0;
let failed = 0;
const files = fs.existsSync(results) ? fs.readdirSync(results).filter((name) => name.endsWith(".json")) : [];
for (const name of files) {
  const report = JSON.parse(fs.readFileSync(path.join(results, name), "utf8"));
  passed += report.numPassedTests;
  // A test file that does not even load has no failed test.
  failed += Math.max(report.numFailedTests, report.numFailedTestSuites ?? 0);
}
const conformance = path.join(build, "conformance/summary.json");
if (fs.existsSync(conformance)) {
  const summary = JSON.parse(fs.readFileSync(conformance, "utf8"));
  passed += summary.passed;
  failed += summary.failed;
}
console.log(`${passed} passed, ${failed} failed`);
