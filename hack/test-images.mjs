#!/usr/bin/env node
// Makes the images that critest and crictl want and pushes them to a registry over plain HTTP, which is then a mirror
// for registry.k8s.io, k8s.gcr.io, gcr.io and docker.io. Prints REPOSITORY:TAG DIGEST, a line each.
// usage: hack/test-images.mjs http://127.0.0.1:5000
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { critestImages } from "./images/critest.mjs";
import { pushImage } from "./images/push.cjs";

const registry = process.argv[2]?.replace(/\/+$/, "");
if (!registry?.startsWith("http")) {
  console.error("usage: hack/test-images.mjs http://127.0.0.1:5000");
  process.exit(2);
}
const script = fileURLToPath(new URL("build-busybox.sh", import.meta.url));
const busybox = execFileSync(script, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
for (const { repository, tags, image } of critestImages(busybox)) {
  await pushImage(registry, repository, tags, image);
  for (const tag of tags) console.log(`${repository}:${tag} ${image.digest}`);
}
