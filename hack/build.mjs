#!/usr/bin/env node
// Bundles everything into dist/, and into build/faulty/dist/ with the switch by which tests make steps fail.
import fs from "node:fs";
import { bundle } from "./bundle.mjs";

await bundle("dist", { sourcemap: true });
await bundle("build/faulty/dist", { sourcemap: true, faults: true });
fs.cpSync("bin", "build/faulty/bin", { recursive: true });
