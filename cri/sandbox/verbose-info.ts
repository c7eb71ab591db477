import type { LinuxContainerResources } from "../../api/messages";
import { encodeSpec } from "../../oci/runtime-spec";
import type { Sandbox } from "../store/sandbox";

/** As JSON: the record, and the pod's limits and overhead in force, with the names of the CRI's JSON form. */
export function verboseSandboxInfo(sandbox: Sandbox): string {
  const { config: _config, overhead: _overhead, resources: _resources, ...record } = sandbox.record;
  return encodeSpec({
    ...record,
    pid: record.holder?.pid ?? 0,
    overhead: limitsOf(sandbox.overhead),
    resources: limitsOf(sandbox.resources),
  });
}

const limitsOf = (linux: LinuxContainerResources | null) => (linux ? { linux } : undefined);
