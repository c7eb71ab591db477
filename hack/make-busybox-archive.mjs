#!/usr/bin/env node
// Writes an OCI archive of an image of Debian's busybox-static, for want of a registry.
// usage: hack/make-busybox-archive.mjs OUT.tar [NAME]
import fs from "node:fs";
import { busyboxEntries, SHELL } from "./images/busybox.cjs";
import { makeImage, makeLayer, ociArchive } from "./images/image.cjs";

const [out, name = "docker.io/library/busybox:latest"] = process.argv.slice(2);
if (!out) {
  console.error("usage: hack/make-busybox-archive.mjs OUT.tar [NAME]");
  process.exit(2);
}
const layer = makeLayer(busyboxEntries("/bin/busybox"));
fs.writeFileSync(out, ociArchive(name, makeImage({ layers: [layer], config: SHELL })));
