import type { Config } from "../api/config/schema";
import { BerthError } from "../api/errors";
import { type AuthFileEntry, decodeBasic, readAuthFile } from "./auth-file";
import { registryKey } from "./registry-key";
import type { Credentials } from "./types";

/** CRI's AuthConfig, as PullImage carries it; empty strings are as good as absent. */
export interface AuthConfig {
  username?: string;
  password?: string;
  /** base64 of "user:password". */
  auth?: string;
  /** The registry that these are for, as a host or a URL; empty for the image's own. */
  serverAddress?: string;
  identityToken?: string;
  registryToken?: string;
}

export interface CredentialSources {
  /** The request's. */
  auth?: AuthConfig;
  registries: Config["images"]["registries"];
  /** Docker config.json files. */
  authFiles: readonly string[];
}

/** What is wanted: credentials for `host` (a registry or a mirror of one) in a pull of `image`. */
export interface CredentialQuery {
  host: string;
  image: { host: string; repository: string };
}

/** Says which credentials a host may see. */
export type CredentialChooser = (query: CredentialQuery) => Credentials | undefined;

/**
 * Reads the auth files and gives the chooser for one pull: the request's credentials first, then
 * [images.registries], then the files. The request's are for the image's own registry, or for the host that its
 * server_address names: a mirror elsewhere never sees them. Throws InvalidArgument for malformed credentials.
 */
export async function loadCredentials(sources: CredentialSources): Promise<CredentialChooser> {
  const requested = sources.auth && fromAuthConfig(sources.auth);
  const configured = new Map(Object.entries(sources.registries).map(([host, own]) => [registryKey(host).host, own]));
  const entries: AuthFileEntry[] = [];
  for (const path of sources.authFiles) entries.push(...(await readAuthFile(path)));

  return ({ host, image }) => {
    const wanted = registryKey(host).host;
    const owner = registryKey(sources.auth?.serverAddress || image.host).host;
    if (requested && owner === wanted) return requested;
    const own = configured.get(wanted);
    if (own) {
      return compact({ username: own.username, password: own.password, identityToken: own.identity_token });
    }
    return bestEntry(entries, wanted, image.repository)?.credentials;
  };
}

/** Undefined where nothing is in it. Throws InvalidArgument, which does not quote it. */
function fromAuthConfig(auth: AuthConfig): Credentials | undefined {
  if (auth.registryToken) {
    // it goes into a header as it is
    if (/[^\x21-\x7e]/.test(auth.registryToken)) {
      throw new BerthError("InvalidArgument", 'the "registry_token" of the pull\'s credentials is no token');
    }
    return { registryToken: auth.registryToken };
  }
  if (auth.identityToken) return compact({ username: auth.username, identityToken: auth.identityToken });
  if (auth.username) return { username: auth.username, password: auth.password ?? "" };
  if (!auth.auth) return undefined;
  const decoded = decodeBasic(auth.auth);
  if (!decoded) {
    throw new BerthError("InvalidArgument", 'the "auth" of the pull\'s credentials is not base64 of "user:password"');
  }
  return decoded;
}

function compact(credentials: Credentials): Credentials | undefined {
  const filled = Object.entries(credentials).filter(([, value]) => value !== undefined && value !== "");
  return filled.length === 0 ? undefined : Object.fromEntries(filled);
}

/** The entry of the host that has the longest path the repository lies under (containers-auth.json(5)). */
function bestEntry(entries: readonly AuthFileEntry[], host: string, repository: string): AuthFileEntry | undefined {
  return entries
    .filter((entry) => entry.host === host && (entry.path === "" || `${repository}/`.startsWith(`${entry.path}/`)))
    .reduce<AuthFileEntry | undefined>(
      (best, entry) => (!best || entry.path.length > best.path.length ? entry : best),
      undefined,
    );
}
