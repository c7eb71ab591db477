import { BerthError } from "../api/errors";
import { readWhole } from "./http-body";
import type { HttpResponse } from "./http-client";
import { safeText } from "./remote-text";

/** Whether a later try may fare better. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

export interface AskedHost {
  /** Host and port. */
  name: string;
  /** To be masked in its words. */
  secrets: readonly string[];
}

const maxErrorBytes = 64 * 1024;

/**
 * The error of an answer that is not what was asked for, with the registry's own words (OCI distribution spec, "Error
 * codes"), bounded and masked: NotFound, PermissionDenied, RegistryUnavailable for what may pass, else Unavailable. The
 * message names the host and, where it redirected, the place that answered; `subject` is put before the status.
 */
export async function statusError(response: HttpResponse, host: AskedHost, subject?: string): Promise<BerthError> {
  const { status, url } = response;
  const said = safeText(await errorText(response), host.secrets);
  const where = url.host === host.name ? host.name : `${host.name} (by way of ${url.host})`;
  const outcome = status === 404 ? "not found" : `status ${status}${status === 429 ? ", too many requests" : ""}`;
  const message = [where, subject, outcome, said].filter((part) => part).join(": ");
  if (status === 404) return new BerthError("NotFound", message);
  if (status === 401 || status === 403) return new BerthError("PermissionDenied", message);
  return new BerthError(isTransientStatus(status) ? "RegistryUnavailable" : "Unavailable", message);
}

async function errorText(response: HttpResponse): Promise<string> {
  let text: string;
  try {
    text = (await readWhole(response.body, maxErrorBytes))?.toString("utf8") ?? "";
  } catch {
    return "";
  }
  try {
    const { errors } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] };
    if (!Array.isArray(errors)) return text;
    return errors
      .slice(0, 4)
      .map((error) =>
        [error?.code, error?.message].filter((part) => typeof part === "string" && part !== "").join(": "),
      )
      .join("; ");
  } catch {
    // a page for people says nothing in one line
    return /^\s*</.test(text) ? "" : text;
  }
}
