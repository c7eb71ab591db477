import { BerthError } from "../api/errors";
import { type Digest, isDigest } from "../api/ids";

/** The name of an image, normalised: nothing in it depends on which short form was typed. */
export interface Reference {
  /** As in the name, with its port: "docker.io", "localhost:5000". */
  host: string;
  /** "library/busybox". */
  repository: string;
  tag?: string;
  /** Where both are given, it is the digest that is pulled. */
  digest?: Digest;
}

const hubHost = "docker.io";
const hubLegacyHost = "index.docker.io";
const hubOfficial = "library/";
const defaultTag = "latest";

// The distribution project's grammar: host components in any case, path components in lower case
const hostLabel = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const hostPattern = new RegExp(`^(${hostLabel}(?:\\.${hostLabel})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`);
const componentPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const maxRepositoryLength = 255;
const maxHostLength = 255;
// the longest name that could pass, so that no longer text is looked at
const maxLength = maxHostLength + 1 + maxRepositoryLength + 1 + 128 + 1 + 71;

/**
 * Parses "busybox", "ghcr.io/a/b:1", "localhost:5000/x@sha256:…" and so on, by the rules of Docker and containerd
 * (grammar and normalisation of the distribution project's reference library): no host is docker.io, one component
 * there is in library/, no tag and no digest is "latest". Throws InvalidArgument.
 */
export function parseReference(text: string): Reference {
  const refuse = (reason: string): never => {
    const safe = withoutUserInfo(text);
    const shown = JSON.stringify(safe.length > 200 ? `${safe.slice(0, 200)}…` : safe);
    throw new BerthError("InvalidArgument", `${shown} is not an image reference: ${reason}`);
  };
  if (text === "") refuse("it is empty");
  if (text.length > maxLength) refuse("it is too long");
  if (/^[0-9a-f]{64}$/.test(text)) refuse("64 hex digits are an image ID, not a name");

  const { name, tag, digest } = splitSuffixes(text);
  if (digest !== undefined && !isDigest(digest)) refuse("the digest is not sha256: and 64 hex digits");
  if (tag !== undefined && !tagPattern.test(tag)) refuse("the tag is malformed");
  const { host, repository } = splitHost(name);
  if (!isHost(host)) refuse("the host is malformed");
  if (repository === "") refuse("it names no repository");
  if (repository.length > maxRepositoryLength) {
    refuse(`the repository is longer than ${maxRepositoryLength} characters`);
  }
  if (repository !== repository.toLowerCase()) refuse("the repository must be in lower case");
  if (!repository.split("/").every((component) => componentPattern.test(component))) {
    refuse("the repository is malformed");
  }
  const reference: Reference = { host, repository };
  if (tag !== undefined) reference.tag = tag;
  else if (digest === undefined) reference.tag = defaultTag;
  if (digest !== undefined) reference.digest = digest as Digest;
  return reference;
}

/** Whether `host` can be asked as it stands: a URL would make 127.0.0.1 of 0x7f.1, and takes no port past 65535. */
function isHost(host: string): boolean {
  const name = hostPattern.exec(host)?.[1];
  const url = name === undefined || host.length > maxHostLength ? undefined : URL.parse(`https://${host}`);
  return url != null && (name!.startsWith("[") || url.hostname === name!.toLowerCase());
}

function splitSuffixes(text: string): { name: string; tag?: string; digest?: string } {
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  // a colon before the last slash belongs to the host's port
  if (colon < 0 || named.indexOf("/", colon) >= 0) return { name: named, digest };
  return { name: named.slice(0, colon), tag: named.slice(colon + 1), digest };
}

function splitHost(name: string): { host: string; repository: string } {
  const slash = name.indexOf("/");
  if (slash < 0) return { host: hubHost, repository: hubOfficial + name };
  const first = name.slice(0, slash);
  const rest = name.slice(slash + 1);
  const namesHost = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
  const host = !namesHost || first === hubLegacyHost ? hubHost : first;
  const repository = namesHost ? rest : name;
  if (host === hubHost && repository !== "" && !repository.includes("/")) {
    return { host, repository: hubOfficial + repository };
  }
  return { host, repository };
}

/** A text that should be a reference, without the user and password that people put before a host. */
export const withoutUserInfo = (text: string) => text.replace(/^([\w+.-]+:\/\/)?.*@(?!sha256:)/s, "$1");

/** "docker.io/library/busybox": what tags and digests of one repository have in common. */
export const repositoryName = (reference: Reference) => `${reference.host}/${reference.repository}`;

/** The one normalised text: "docker.io/library/busybox:latest", or with "@sha256:…" alone where a digest is known. */
export function formatReference(reference: Reference): string {
  const name = repositoryName(reference);
  return reference.digest === undefined ? `${name}:${reference.tag}` : `${name}@${reference.digest}`;
}

/** A shorter beginning of an image's ID stands for none. */
export const minIdLength = 4;
const imageId = new RegExp(`^(?:sha256:)?([0-9a-f]{${minIdLength},64})$`);

/**
 * The hex digits of a text that can be an image's ID or the beginning of one, with or without "sha256:". A name such
 * as "cafe" looks the same, so the caller looks among the images whether one has it; undefined for all other texts.
 */
export function asImageId(text: string): string | undefined {
  return imageId.exec(text)?.[1];
}
