import { BerthError, messageOf } from "../api/errors";
import { faultPoint } from "../sys/fault-points";
import type { Attachment } from "./attachment";
import { runtimeConfig } from "./capabilities";
import { isAtLeast } from "./cni-version";
import type { JsonObject } from "./json-object";
import type { NetworkConfig, PluginConfig } from "./network-config";
import { type CallPlugin, type CniCommand, failure, type PluginCall } from "./plugin";
import { type ParsedResult, parseResult } from "./result";

/** What GC shall leave alone. */
export interface ValidAttachment {
  containerID: string;
  ifname: string;
}

/**
 * Runs ADD of each plugin in order, each with the result of the one before (CNI spec 1.1.0, section 3 "Attachment
 * Operations"). Throws at the first that fails; what was made until then is the caller's to DEL.
 */
export async function addToNetwork(attachment: Attachment, call: CallPlugin): Promise<ParsedResult> {
  let previous: ParsedResult | undefined;
  for (const plugin of attachment.network.plugins) {
    if (previous) await faultPoint("RunPodSandbox.network-next-plugin");
    const request = attachmentCall("ADD", plugin, { ...attachment, result: previous?.raw });
    const printed = await call(request);
    try {
      previous = parseResult(printed, attachment.network.cniVersion);
    } catch (error) {
      throw failure(request, { code: "Internal", why: messageOf(error) });
    }
  }
  if (!previous) throw new BerthError("FailedPrecondition", `network ${attachment.network.name} has no plugins`);
  return previous;
}

/**
 * Runs DEL of each plugin in reverse, with what is left of the attachment: an empty netns path where it is gone, and
 * ADD's last result where there is one (passed from 0.4.0 on). Stops at the first failure as libcni does, since the
 * plugins before it may be needed by it; DEL may be repeated, so a retry runs the whole list again.
 */
export async function deleteFromNetwork(attachment: Attachment, call: CallPlugin): Promise<void> {
  const hasResult = isAtLeast(attachment.network.cniVersion, "0.4.0");
  for (const [index, plugin] of attachment.network.plugins.toReversed().entries()) {
    if (index > 0) await faultPoint("StopPodSandbox.network-next-plugin");
    await call(attachmentCall("DEL", plugin, hasResult ? attachment : { ...attachment, result: undefined }));
  }
}

/** Runs CHECK of each plugin in order, from 0.4.0 on, unless `disableCheck` is set or ADD has left no result. */
export async function checkInNetwork(attachment: Attachment, call: CallPlugin): Promise<void> {
  const { network, result } = attachment;
  if (network.disableCheck || !isAtLeast(network.cniVersion, "0.4.0") || !result) return;
  for (const plugin of network.plugins) await call(attachmentCall("CHECK", plugin, attachment));
}

/** Asks each plugin whether ADD can succeed, from 1.1.0 on (CNI spec 1.1.0, section 2 "STATUS"). Throws what it says. */
export async function askStatus(network: NetworkConfig, call: CallPlugin): Promise<void> {
  if (!isAtLeast(network.cniVersion, "1.1.0")) return;
  for (const plugin of network.plugins) await call(networkCall("STATUS", plugin, network));
}

/** Whether its plugins know GC, which came with 1.1.0, and are to be asked. */
export const collectsGarbage = ({ disableGC, cniVersion }: NetworkConfig) =>
  !disableGC && isAtLeast(cniVersion, "1.1.0");

/**
 * Has each plugin free what belongs to none of `valid`, from 1.1.0 on, unless `disableGC` is set (CNI spec 1.1.0,
 * section 2 "GC"). No ADD or DEL may run meanwhile. One that fails does not keep the others from running; returns
 * what failed.
 */
export async function collectGarbage(
  network: NetworkConfig,
  valid: ValidAttachment[],
  call: CallPlugin,
): Promise<string[]> {
  if (!collectsGarbage(network)) return [];
  const failures: string[] = [];
  for (const plugin of network.plugins) {
    const request = networkCall("GC", plugin, network);
    // The specification's text once had the second name, and there are plugins that read it.
    const config = { ...request.config, "cni.dev/valid-attachments": valid, "cni.dev/attachments": valid };
    try {
      await call({ ...request, config });
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  return failures;
}

function networkCall(command: CniCommand, plugin: PluginConfig, network: NetworkConfig): PluginCall {
  const { name, cniVersion } = network;
  return { command, type: plugin.type, network: name, config: { ...plugin, name, cniVersion } };
}

// CNI spec 1.1.0, section 3 "Deriving execution configuration from plugin configuration".
function attachmentCall(command: CniCommand, plugin: PluginConfig, attachment: Attachment): PluginCall {
  const { network, sandboxId, netnsPath, ifName, args, result } = attachment;
  const request = networkCall(command, plugin, network);
  const given = runtimeConfig(plugin, attachment.capabilityArgs);
  const config: JsonObject = {
    ...request.config,
    ...(given ? { runtimeConfig: given } : {}),
    ...(result ? { prevResult: result } : {}),
  };
  return { ...request, config, subject: { sandboxId, netnsPath, ifName, args } };
}
