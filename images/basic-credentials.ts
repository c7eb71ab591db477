import type { Credentials } from "./types";

/** What follows "Basic " in an Authorization header (RFC 7617). */
export function basicCredentials({ username, password }: Credentials): string {
  return Buffer.from(`${username ?? ""}:${password ?? ""}`).toString("base64");
}
