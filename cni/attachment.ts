import type { SandboxId } from "../api/ids";
import type { JsonObject } from "./json-object";
import type { NetworkConfig } from "./network-config";

/** A sandbox's place in a network: all that its DEL needs, even when the configuration has changed or is gone. */
export interface Attachment {
  sandboxId: SandboxId;
  /** The configuration as it was used for ADD. */
  network: NetworkConfig;
  netnsPath: string;
  ifName: string;
  /** CNI_ARGS. */
  args: string;
  /** Values of capabilities by name. */
  capabilityArgs: JsonObject;
  /** The last plugin's result; absent until the whole list has succeeded. */
  result?: JsonObject;
}
