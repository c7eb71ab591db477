import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { BerthError, during } from "../api/errors";
import { readDockerCertificates } from "./docker-certificates";
import { type Capabilities, type HostSettings, type HostsFile, parseHostsFile } from "./hosts-file";

/** Certificates as PEM text. */
export interface TlsSettings {
  /** Trusted beside the system's. */
  ca: string[];
  client: { cert: string; key: string }[];
  skipVerify: boolean;
}

/** One place to ask for the images of a registry: a mirror, or the registry itself. */
export interface RegistryHost {
  /** The API's root, such as https://mirror.example/v2, with no slash at its end. */
  base: URL;
  capabilities: Capabilities;
  tls: TlsSettings;
  /** Sent with each request; names in lower case. */
  headers: Record<string, string[]>;
  /** The longest that a connection may take to be made, in ms; undefined for the default. */
  connectTimeoutMs?: number;
  /** A proxy's URL, in the place of the environment's. */
  proxy?: string;
  /** Speaks HTTPS or HTTP, nobody said which: HTTPS is tried, HTTP where the answer is not TLS. */
  mayBePlain: boolean;
  /** The registry that is mirrored, sent as ?ns=; undefined for the registry itself. */
  namespace?: string;
}

const maxHostsFileBytes = 1 << 20;
const hubHost = "docker.io";
const hubServer = "registry-1.docker.io";

/**
 * The places to ask for images of `host` ("docker.io", "localhost:5000"), in order, read anew at each call so that
 * changes count at once. Follows containerd's docs/hosts.md: the first of `certsDirs` that has a directory for the
 * host or a `_default` decides; the hosts of hosts.toml come as they stand there and the server last. A directory
 * without hosts.toml is Docker's: its certificates are for the registry itself.
 * Throws InvalidArgument with file and line where something there is wrong.
 */
export async function findRegistryHosts(host: string, certsDirs: readonly string[]): Promise<RegistryHost[]> {
  const directory = await findDirectory(host, certsDirs);
  const file = directory === undefined ? { hosts: [], server: {} } : await readDirectory(directory);
  return [
    ...file.hosts.map((settings) => asRegistryHost(host, settings)),
    asRegistryHost(host, file.server.url === undefined ? { ...upstreamOf(host), ...file.server } : file.server),
  ];
}

async function findDirectory(host: string, certsDirs: readonly string[]): Promise<string | undefined> {
  const port = /^(.+):([0-9]+)$/.exec(host);
  const names = port ? [`${port[1]}_${port[2]}_`, host, "_default"] : [host, "_default"];
  for (const certsDir of certsDirs) {
    for (const name of names) {
      const path = join(certsDir, name);
      if (await isDirectory(path)) return path;
    }
  }
  return undefined;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === "ENOENT" || errno === "ENOTDIR") return false;
    throw during("looking for a registry's settings", error);
  }
}

async function readDirectory(directory: string): Promise<HostsFile> {
  const path = join(directory, "hosts.toml");
  let text: string;
  try {
    const there = await stat(path);
    if (!there.isFile()) throw new BerthError("InvalidArgument", `${path}:1: is not a regular file`);
    if (there.size > maxHostsFileBytes) {
      throw new BerthError("InvalidArgument", `${path}:1: is larger than ${maxHostsFileBytes} bytes`);
    }
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw during("reading a registry's settings", error);
    return { hosts: [], server: await readDockerCertificates(directory) };
  }
  return parseHostsFile({ text, path, directory });
}

/** What is asked where nothing is configured. */
function upstreamOf(host: string): Partial<HostSettings> {
  if (!isLoopback(host)) return { url: new URL(`https://${host}/v2`) };
  const port = /:([0-9]+)$/.exec(host)?.[1];
  if (port === "80") return { url: new URL(`http://${host}/v2`) };
  // nobody has a certificate for these names, and nobody else can answer there
  if (port === undefined || port === "443") return { url: new URL(`https://${host}/v2`), skipVerify: true };
  return { url: new URL(`http://${host}/v2`), skipVerify: true };
}

function asRegistryHost(host: string, settings: HostSettings): RegistryHost {
  const base = new URL(settings.url!);
  if (base.host === hubHost || base.host === `index.${hubHost}`) base.host = hubServer;
  const hasTls = settings.ca !== undefined || settings.client !== undefined || settings.skipVerify !== undefined;
  // as containerd does: http together with TLS settings means that either may be spoken
  const mayBePlain = base.protocol === "http:" && base.port !== "" && hasTls;
  if (mayBePlain) base.protocol = "https:";
  const isUpstream =
    base.host === URL.parse(`${base.protocol}//${host}`)?.host || (host === hubHost && base.host === hubServer);
  return {
    base,
    capabilities: settings.capabilities ?? { pull: true, resolve: true, push: true },
    tls: { ca: settings.ca ?? [], client: settings.client ?? [], skipVerify: settings.skipVerify ?? false },
    headers: settings.headers ?? {},
    connectTimeoutMs: settings.connectTimeoutMs,
    proxy: settings.proxy,
    mayBePlain,
    namespace: isUpstream ? undefined : host,
  };
}

/** Whether `host` (with or without a port) is this machine: localhost, 127.0.0.0/8 or ::1. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:[0-9]+$/, "").toLowerCase();
  return name === "localhost" || /^127(?:\.[0-9]{1,3}){3}$/.test(name) || name === "[::1]";
}
