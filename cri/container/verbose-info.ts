import fs from "node:fs";
import path from "node:path";
import type { Services } from "../services";
import type { Container } from "../store/container";

/** As JSON, with the fields that users of containerd's verbose status look for. */
export function verboseContainerInfo({ paths }: Services, container: Container): string {
  const { record } = container;
  return JSON.stringify({
    sandboxID: record.sandboxId,
    pid: record.process?.pid ?? 0,
    monitorPid: record.monitor?.pid ?? 0,
    runtimeHandler: record.handler,
    cgroups: record.cgroups,
    runtimeSpec: readSpec(path.join(paths.container(container.id), "config.json")),
  });
}

function readSpec(file: string): unknown {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}
