import { BerthError } from "../../api/errors";
import type { PodSandboxConfig } from "../../api/messages";

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
  if (Buffer.byteLength(hostname) > 64 || /[\0\n/]/.test(hostname)) {
    throw invalid(
      `hostname "${hostname.slice(0, 100)}" is longer than 64 bytes or holds a character that can't be in one`,
    );
  }
  if (logDirectory !== "") checkAbsolute("log_directory", logDirectory);
}

/** Names are kept and logged, and never made part of a path. */
export function checkName(field: string, value: string): void {
  if (value.length > 1024) throw invalid(`${field} is longer than 1024 characters`);
  if (/[\u0000-\u001f]/.test(value)) throw invalid(`${field} holds a control character`);
}

/** An absolute path without `..`. */
export function checkAbsolute(field: string, value: string): void {
  if (!value.startsWith("/") || value.split("/").includes("..") || value.includes("\0") || value.length > 4096) {
    throw invalid(`${field} "${value.slice(0, 200)}" is not an absolute path without ".."`);
  }
}
