import { BerthError } from "../../api/errors";
import { codec, type PodSandboxConfig } from "../../api/messages";
import { checkNamespaceModes } from "./namespace-modes";

const invalid = (message: string) => new BerthError("InvalidArgument", message);

/** Refuses what no sandbox can be made from, before anything is touched. */
export function checkPodConfig(config: PodSandboxConfig): void {
  const { metadata, hostname, logDirectory } = config;
  if (!metadata) throw invalid("the sandbox configuration has no metadata");
  checkName("metadata.name", metadata.name);
  checkName("metadata.namespace", metadata.namespace);
  checkName("metadata.uid", metadata.uid);
  if (metadata.name === "" || metadata.uid === "" || metadata.namespace === "") {
    throw invalid("metadata.name, metadata.namespace and metadata.uid must all be set");
  }
  if (Buffer.byteLength(hostname) > 64 || /[\u0000-\u0020/]/.test(hostname)) {
    throw invalid(
      `hostname "${hostname.slice(0, 100)}" is longer than 64 bytes or holds a character that can't be in one`,
    );
  }
  if (logDirectory !== "") checkAbsolute("log_directory", logDirectory);
  for (const port of config.portMappings.flatMap(({ containerPort, hostPort }) => [containerPort, hostPort])) {
    if (port < 0 || port > 65535) throw invalid(`port mapping: ${port} is not a port`);
  }
  checkNamespaceModes(config.linux?.securityContext?.namespaceOptions);
  const { labels, annotations } = config;
  checkSize(codec("PodSandbox").encode({ metadata, labels, annotations }), codec("PodSandboxConfig").encode(config));
}

/** Names are kept and logged, and never made part of a path; that of others who do is refused as well. */
export function checkName(field: string, value: string): void {
  if (value.length > 1024) throw invalid(`${field} is longer than 1024 characters`);
  if (/[\u0000-\u001f]/.test(value)) throw invalid(`${field} holds a control character`);
  if (value.includes("/") || value === "." || value === "..") throw invalid(`${field} "${value}" reads as a path`);
}

/** As much as the API server lets a pod have of annotations, and the same again of labels. */
const summaryLimitBytes = 512 << 10;
/** A status repeats most of a configuration, and a client takes 16 MiB a message. */
const configLimitBytes = 4 << 20;

/** Throws InvalidArgument for an object that would keep lists and statuses from fitting in a message. */
export function checkSize(summary: Uint8Array, config: Uint8Array): void {
  if (summary.length > summaryLimitBytes) {
    throw invalid(`labels, annotations and names take ${summary.length} bytes, more than ${summaryLimitBytes}`);
  }
  if (config.length > configLimitBytes) {
    throw invalid(`the configuration takes ${config.length} bytes, more than ${configLimitBytes}`);
  }
}

/** An absolute path without `..`. */
export function checkAbsolute(field: string, value: string): void {
  if (!value.startsWith("/") || value.split("/").includes("..") || value.includes("\0") || value.length > 4096) {
    throw invalid(`${field} "${value.slice(0, 200)}" is not an absolute path without ".."`);
  }
}
