import http from "node:http";
import https from "node:https";
import tls from "node:tls";
import { BerthError, messageOf } from "../api/errors";
import { isLoopback, type TlsSettings } from "./registry-hosts";

export interface ConnectionSettings {
  /** Host and port that the settings are for. */
  host: string;
  tls: TlsSettings;
  /** A proxy's URL; undefined for what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say. */
  proxy?: string;
}

// the names of one registry often have addresses that are slow to answer; Node's 250 ms each gives up on them all
const addressTimeoutMs = 2_000;
const idleTimeoutMs = 30_000;

/** The connections of one pull to one registry and to where that redirects; kept alive between requests. */
export class HttpAgents {
  private readonly agents = new Map<string, http.Agent>();

  constructor(private readonly settings: ConnectionSettings) {}

  /** Throws InvalidArgument where a configured certificate cannot be read. */
  agentFor(url: URL): http.Agent {
    const isOwn = url.host === this.settings.host;
    const key = `${url.protocol} ${isOwn} ${isLoopback(url.hostname)}`;
    const existing = this.agents.get(key);
    if (existing) return existing;
    const common: http.AgentOptions = {
      keepAlive: true,
      timeout: idleTimeoutMs,
      autoSelectFamilyAttemptTimeout: addressTimeoutMs,
      proxyEnv: this.proxyFor(url, isOwn),
    };
    const made =
      url.protocol === "https:" ? new https.Agent({ ...common, ...this.tlsFor(isOwn) }) : new http.Agent(common);
    this.agents.set(key, made);
    return made;
  }

  close(): void {
    for (const agent of this.agents.values()) agent.destroy();
    this.agents.clear();
  }

  private proxyFor(url: URL, isOwn: boolean): NodeJS.ProcessEnv | undefined {
    const { proxy } = this.settings;
    if (isOwn && proxy !== undefined) return { HTTP_PROXY: proxy, HTTPS_PROXY: proxy };
    // as Go does: this machine is never asked by way of a proxy
    return isLoopback(url.hostname) ? undefined : process.env;
  }

  /** A registry's own storage is often behind the same authority; the client's certificate stays with the registry. */
  private tlsFor(isOwn: boolean): https.AgentOptions {
    const { ca, client, skipVerify } = this.settings.tls;
    try {
      const pairs = isOwn ? client : [];
      const secureContext = tls.createSecureContext({
        ca: [...systemAuthorities(), ...ca],
        cert: pairs.map((pair) => pair.cert),
        key: pairs.map((pair) => pair.key),
      });
      return { secureContext, rejectUnauthorized: !skipVerify };
    } catch (error) {
      throw new BerthError("InvalidArgument", `the certificates for ${this.settings.host}: ${messageOf(error)}`);
    }
  }
}

/** The system's store as for every other program; Node's own where the system has none. */
function systemAuthorities(): string[] {
  const system = tls.getCACertificates("system");
  return [...new Set(system.length > 0 ? system : tls.getCACertificates("default"))];
}
