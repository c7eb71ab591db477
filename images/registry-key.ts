/** A registry as credentials name it. */
export interface RegistryKey {
  /** In lower case, without the port of HTTPS; Docker Hub is "docker.io" under all its names. */
  host: string;
  /** Repositories that the key is limited to; "" for all. */
  path: string;
}

const hubNames = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/** Reads "https://index.docker.io/v1/", "registry.example:5000" or "registry.example/team". */
export function registryKey(text: string): RegistryKey {
  const bare = text.trim().replace(/^https?:\/\//i, "");
  const slash = bare.indexOf("/");
  const name = (slash < 0 ? bare : bare.slice(0, slash)).toLowerCase().replace(/:443$/, "");
  const path = slash < 0 ? "" : bare.slice(slash + 1).replace(/\/+$/, "");
  return { host: hubNames.includes(name) ? "docker.io" : name, path: /^v[12]$/.test(path) ? "" : path };
}
