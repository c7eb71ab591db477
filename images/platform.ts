import { readFileSync } from "node:fs";
import { BerthError } from "../api/errors";
import type { Descriptor } from "./types";

/** As in an index (OCI image spec, image-index.md), named as Go names them; "" where nothing is said. */
export interface Platform {
  os: string;
  architecture: string;
  variant: string;
}

/** One line of an index: a manifest, or another index, and what it is for. */
export interface IndexEntry extends Descriptor {
  platform?: Platform;
  annotations: Record<string, string>;
}

export interface Machine {
  /** As process.arch has it. */
  arch: string;
  /** Of a 32-bit ARM, as process.config.variables.arm_version has it. */
  armVersion?: string;
  /** Of the first processor in /proc/cpuinfo. */
  cpuFlags: readonly string[];
}

export function thisMachine(): Machine {
  let flags = "";
  try {
    flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  } catch {
    // without /proc only what every processor can do is chosen
  }
  const { arm_version: armVersion } = process.config.variables as { arm_version?: string };
  return { arch: process.arch, armVersion, cpuFlags: flags.split(" ") };
}

const goNames: Record<string, string> = { x64: "amd64", ia32: "386", ppc64: "ppc64le", mipsel: "mipsle" };

// the x86-64 psABI's micro-architecture levels, by the kernel's names for what each adds
const amd64Levels: [string, string[]][] = [
  ["v2", ["cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"]],
  ["v3", ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"]],
  ["v4", ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]],
];

/** What the machine runs, the best first. */
export function runnablePlatforms({ arch, armVersion, cpuFlags }: Machine): Platform[] {
  const of = (architecture: string, variants: string[]) =>
    variants.map((variant) => ({ os: "linux", architecture, variant }));
  const arms = ["v7", "v6", "v5"];
  switch (arch) {
    case "x64": {
      const missing = amd64Levels.findIndex(([, flags]) => !flags.every((flag) => cpuFlags.includes(flag)));
      const levels = amd64Levels.slice(0, missing < 0 ? undefined : missing).map(([level]) => level);
      return [...of("amd64", [...levels.reverse(), ""]), ...of("386", [""])];
    }
    case "arm64":
      return [...of("arm64", [""]), ...of("arm", ["v8", ...arms])];
    case "arm":
      return of("arm", arms.slice(Math.max(0, arms.indexOf(`v${armVersion ?? 7}`))));
    default:
      return of(goNames[arch] ?? arch, [""]);
  }
}

// what is the same said in two ways (containerd's platforms package, "normalization")
const defaultVariants: Record<string, string> = { "amd64/v1": "", "arm64/v8": "", "arm/": "v7" };
const aliases: Record<string, string> = { x86_64: "amd64", "x86-64": "amd64", aarch64: "arm64", i386: "386" };

function normalise({ os, architecture, variant }: Platform): Platform {
  const named = aliases[architecture] ?? architecture;
  return { os, architecture: named, variant: defaultVariants[`${named}/${variant}`] ?? variant };
}

/**
 * The entry of an index that suits best; the first of several that suit as well. Attestations are no images. An entry
 * that does not say what it is for is taken where it is the only one. Throws NotFound that names what there is.
 */
export function choosePlatform(entries: readonly IndexEntry[], runnable: readonly Platform[]): IndexEntry {
  const images = entries.filter((entry) => !isAttestation(entry));
  for (const wanted of runnable) {
    const found = images.find((entry) => entry.platform && format(normalise(entry.platform)) === format(wanted));
    if (found) return found;
  }
  const unnamed = images.filter((entry) => !entry.platform);
  if (unnamed.length === 1 && images.length === 1) return unnamed[0]!;
  const there = images.slice(0, 20).map((entry) => (entry.platform ? format(entry.platform) : "an unnamed one"));
  throw new BerthError(
    "NotFound",
    `there is no image for ${format(runnable[0]!)}, but for ${there.length > 0 ? there.join(", ") : "nothing"}`,
  );
}

function isAttestation({ platform, annotations }: IndexEntry): boolean {
  if (annotations["vnd.docker.reference.type"] === "attestation-manifest") return true;
  return platform?.os === "unknown" && platform.architecture === "unknown";
}

function format({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant]
    .filter((part) => part !== "")
    .join("/")
    .slice(0, 100);
}
