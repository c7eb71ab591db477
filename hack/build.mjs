#!/usr/bin/env node
// Bundles everything into dist/.
import { bundle } from "./bundle.mjs";

await bundle("dist", { sourcemap: true });
