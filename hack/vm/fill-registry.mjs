#!/usr/bin/env node
// Puts busybox and a stand-in for pause into a registry's directory, which a virtual machine then serves.
// usage: hack/vm/fill-registry.mjs DIRECTORY
import { busyboxEntries, SHELL } from "../images/busybox.cjs";
import { makeImage, makeLayer } from "../images/image.cjs";
import { pushImage } from "../images/push.cjs";
import { startRegistry } from "../support/registry.cjs";

const registry = await startRegistry(process.argv[2]);
try {
  const layers = [makeLayer(busyboxEntries("/bin/busybox"))];
  await pushImage(registry.url, "library/busybox", ["latest"], makeImage({ layers, config: SHELL }));
  const pause = { ...SHELL, Entrypoint: ["/bin/sleep", "infinity"], Cmd: [] };
  await pushImage(registry.url, "pause", ["3.10"], makeImage({ layers, config: pause }));
} finally {
  await registry.stop();
}
