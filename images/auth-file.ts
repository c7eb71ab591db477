import { readFile, stat } from "node:fs/promises";
import { BerthError, during } from "../api/errors";
import { type RegistryKey, registryKey } from "./registry-key";
import type { Credentials } from "./types";

export interface AuthFileEntry extends RegistryKey {
  credentials: Credentials;
}

const maxAuthFileBytes = 1 << 20;

/**
 * Reads the "auths" of a Docker config.json; credential helpers are not called. A file that is not there has none:
 * it comes into being with the first login. Throws InvalidArgument that names the file and quotes nothing of it.
 */
export async function readAuthFile(path: string): Promise<AuthFileEntry[]> {
  const refuse = (reason: string) => new BerthError("InvalidArgument", `auth file ${path}: ${reason}`);
  let text: string;
  try {
    const there = await stat(path);
    if (!there.isFile()) throw refuse("is not a regular file");
    if (there.size > maxAuthFileBytes) throw refuse(`is larger than ${maxAuthFileBytes} bytes`);
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error instanceof BerthError ? error : during(`auth file ${path}`, error);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // the parser's message would quote the file
    throw refuse("is not JSON");
  }
  const auths = (parsed as { auths?: unknown } | null)?.auths ?? {};
  if (typeof auths !== "object") throw refuse('"auths" is not an object');
  const entries: AuthFileEntry[] = [];
  for (const [key, value] of Object.entries(auths as object)) {
    const credentials = readEntry(value, () =>
      refuse(`the entry of ${JSON.stringify(key.slice(0, 200))} is malformed`),
    );
    if (credentials) entries.push({ ...registryKey(key), credentials });
  }
  return entries;
}

function readEntry(value: unknown, malformed: () => BerthError): Credentials | undefined {
  if (typeof value !== "object" || value === null) throw malformed();
  const fields = value as Record<string, unknown>;
  const field = (name: string): string => {
    const found = fields[name] ?? "";
    if (typeof found !== "string") throw malformed();
    return found;
  };
  if (field("registrytoken")) return { registryToken: field("registrytoken") };
  if (field("identitytoken")) return { identityToken: field("identitytoken") };
  if (field("username")) return { username: field("username"), password: field("password") };
  // {} is what Docker writes where a credential helper has the rest
  if (!field("auth")) return undefined;
  const decoded = decodeBasic(field("auth"));
  if (!decoded) throw malformed();
  return decoded;
}

/** Credentials of base64 "user:password"; undefined where it is not that. "<token>" as user marks an identity token. */
export function decodeBasic(auth: string): Credentials | undefined {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(auth.trim())) return undefined;
  const decoded = Buffer.from(auth, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 1) return undefined;
  const username = decoded.slice(0, colon);
  // old Docker clients padded the password with NULs
  const password = decoded.slice(colon + 1).replace(/\0+$/, "");
  return username === "<token>" ? { identityToken: password } : { username, password };
}
