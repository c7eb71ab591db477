import { BerthError } from "../../api/errors";
import { codec, type ContainerConfig } from "../../api/messages";
import { checkName, checkSize } from "../sandbox/check-config";
import { checkNamespaceModes } from "../sandbox/namespace-modes";
import { signalOfRequest } from "./signals";

/** Refuses what no container can be known by, before anything is touched. */
export function checkContainerConfig(config: ContainerConfig): void {
  const { metadata, image, labels, annotations } = config;
  if (!metadata) throw new BerthError("InvalidArgument", "the container configuration has no metadata");
  checkName("metadata.name", metadata.name);
  if (metadata.name === "") throw new BerthError("InvalidArgument", "metadata.name must be set");
  signalOfRequest(config.stopSignal);
  checkNamespaceModes(config.linux?.securityContext?.namespaceOptions);
  const summary = codec("Container").encode({ metadata, image, labels, annotations });
  checkSize(summary, codec("ContainerConfig").encode(config));
}
