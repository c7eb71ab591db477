import { randomBytes } from "node:crypto";
import { BerthError } from "./errors";

declare const brand: unique symbol;
type Branded<Name> = string & { readonly [brand]: Name };

/** 64 lower-case hex digits, as containerd and CRI-O name sandboxes. */
export type SandboxId = Branded<"sandbox">;
/** 64 lower-case hex digits. */
export type ContainerId = Branded<"container">;
/** `sha256:` and 64 hex digits (OCI image spec, descriptor.md#digests; sha256 alone is taken). */
export type Digest = Branded<"digest">;
/** The digest of an image's configuration. */
export type ImageId = Digest;
/** Names a stack of layers (OCI image spec, config.md#layer-chainid). */
export type ChainId = Digest;

export const newSandboxId = () => randomBytes(32).toString("hex") as SandboxId;
export const newContainerId = () => randomBytes(32).toString("hex") as ContainerId;

const digestPattern = /^sha256:[0-9a-f]{64}$/;

export const isDigest = (text: string): text is Digest => digestPattern.test(text);

/** Checks before anything makes a path of it. Throws InvalidArgument. */
export function parseDigest(text: unknown): Digest {
  if (typeof text !== "string" || !isDigest(text)) {
    const shown = typeof text === "string" ? `"${text.slice(0, 100)}"` : typeof text;
    throw new BerthError("InvalidArgument", `${shown} is not a sha256 digest`);
  }
  return text;
}

/** The 64 hex digits of a digest, for file names. */
export const hexOf = (digest: Digest) => digest.slice("sha256:".length);
