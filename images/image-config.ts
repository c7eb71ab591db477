import { BerthError } from "../api/errors";
import { type Digest, isDigest } from "../api/ids";
import { isRecord, parseJsonObject } from "./json-object";
import type { ImageConfig, ImageManifest } from "./types";

/** No image's configuration is larger. */
export const maxConfigBytes = 8 << 20;

/**
 * Reads the configuration that belongs to `manifest` (OCI image spec, config.md; Docker's is the same here).
 * Throws InvalidArgument where a field has a wrong type or there are not as many diff_ids as layers, and
 * FailedPrecondition for an image of another operating system.
 */
export function parseImageConfig(body: Uint8Array, manifest: ImageManifest): ImageConfig {
  const what = `image configuration ${manifest.config.digest}`;
  const wrong = (reason: string) => new BerthError("InvalidArgument", `${what} is refused: ${reason}`);
  const document = parseJsonObject(body, what);
  const os = optionalString(document, "os", wrong) ?? "linux";
  if (os !== "linux" && os !== "")
    throw new BerthError("FailedPrecondition", `${what} is for ${JSON.stringify(os.slice(0, 50))}, not for linux`);
  const { rootfs } = document;
  const diffIds: unknown = isRecord(rootfs) ? rootfs["diff_ids"] : undefined;
  if (!Array.isArray(diffIds) && manifest.layers.length > 0) throw wrong("it has no diff_ids");
  const digests = (Array.isArray(diffIds) ? diffIds : []).map((diffId): Digest => {
    if (typeof diffId !== "string" || !isDigest(diffId)) throw wrong("one of its diff_ids is not a sha256 digest");
    return diffId;
  });
  if (digests.length !== manifest.layers.length) {
    throw wrong(`it has ${digests.length} diff_ids for the manifest's ${manifest.layers.length} layers`);
  }
  const settings = document["config"] ?? {};
  if (!isRecord(settings)) throw wrong('"config" is not an object');
  return {
    architecture: optionalString(document, "architecture", wrong) ?? "",
    os: "linux",
    created: optionalString(document, "created", wrong),
    config: readSettings(settings, wrong),
    diffIds: digests,
  };
}

type Wrong = (reason: string) => BerthError;

/** What containers follow of the "config" of a configuration. Throws what `wrong` makes of the reason. */
export function readSettings(settings: Record<string, unknown>, wrong: Wrong): ImageConfig["config"] {
  return withoutUndefined({
    User: optionalString(settings, "User", wrong),
    Env: optionalStrings(settings, "Env", wrong),
    Entrypoint: optionalStrings(settings, "Entrypoint", wrong),
    Cmd: optionalStrings(settings, "Cmd", wrong),
    WorkingDir: optionalString(settings, "WorkingDir", wrong),
    Volumes: optionalObject(settings, "Volumes", wrong),
    StopSignal: optionalString(settings, "StopSignal", wrong),
    Labels: optionalLabels(settings, wrong),
    ExposedPorts: optionalObject(settings, "ExposedPorts", wrong),
  });
}

function optionalString(of: Record<string, unknown>, key: string, wrong: Wrong): string | undefined {
  const value = of[key] ?? undefined;
  if (value !== undefined && typeof value !== "string") throw wrong(`"${key}" is not a string`);
  return value;
}

function optionalStrings(of: Record<string, unknown>, key: string, wrong: Wrong): string[] | undefined {
  const value = of[key] ?? undefined;
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === "string")) {
    throw wrong(`"${key}" is not a list of strings`);
  }
  return value;
}

function optionalObject(of: Record<string, unknown>, key: string, wrong: Wrong): Record<string, unknown> | undefined {
  const value = of[key] ?? undefined;
  if (value !== undefined && !isRecord(value)) throw wrong(`"${key}" is not an object`);
  return value;
}

function optionalLabels(of: Record<string, unknown>, wrong: Wrong): Record<string, string> | undefined {
  const labels = optionalObject(of, "Labels", wrong);
  if (labels && !Object.values(labels).every((value) => typeof value === "string")) {
    throw wrong('"Labels" has a value that is not a string');
  }
  return labels as Record<string, string> | undefined;
}

function withoutUndefined(settings: ImageConfig["config"]): ImageConfig["config"] {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
