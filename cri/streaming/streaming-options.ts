import { BerthError } from "../../api/errors";
import type { Config } from "../../api/config/schema";
import { parseListenAddress } from "./listen-address";
import type { StreamingOptions } from "./server";

/** The server's options out of the configuration. Throws InvalidArgument where they do not go together. */
export function streamingOptions(config: Config["streaming"]): StreamingOptions {
  const { address, tls_cert_file: certFile, tls_key_file: keyFile } = config;
  parseListenAddress(address);
  if ((certFile === "") !== (keyFile === "")) {
    throw new BerthError("InvalidArgument", "streaming.tls_cert_file and streaming.tls_key_file go together");
  }
  return { address, tls: certFile ? { certFile, keyFile } : undefined, idleTimeoutMs: config.idle_timeout_s * 1000 };
}
