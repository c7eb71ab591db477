import type { SpecIntelRdt } from "../runtime-spec";

/** A file of the Container Device Interface, checked (CDI SPEC.md 1.1.0). */
export interface CdiSpec {
  /** vendor/class */
  kind: string;
  /** What each device of it asks for, by the device's name. */
  devices: Map<string, CdiEdits>;
  /** What all of them ask for. */
  edits: CdiEdits;
}

/** What is to be changed of a container that gets a device. */
export interface CdiEdits {
  /** KEY=value */
  env: string[];
  deviceNodes: CdiDeviceNode[];
  mounts: CdiMount[];
  hooks: CdiHook[];
  additionalGids: number[];
  intelRdt?: SpecIntelRdt;
  netDevices: CdiNetDevice[];
}

export interface CdiDeviceNode {
  /** In the container. */
  path: string;
  hostPath?: string;
  type?: "b" | "c" | "p";
  major: number;
  minor: number;
  fileMode?: number;
  /** Of r, w and m; "" for none. */
  permissions: string;
  uid?: number;
  gid?: number;
}

export interface CdiMount {
  hostPath: string;
  containerPath: string;
  type?: string;
  options: string[];
}

export const cdiHookNames = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
] as const;

export interface CdiHook {
  hookName: (typeof cdiHookNames)[number];
  path: string;
  args: string[];
  env: string[];
  /** Seconds. */
  timeout?: number;
}

export interface CdiNetDevice {
  hostInterfaceName: string;
  /** In the container. */
  name: string;
}
