import fs from "node:fs";
import path from "node:path";
import { BerthError } from "../api/errors";
import { readCount, readKeyedCounts } from "./cgroup-files";
import type { CgroupPaths, Cgroups } from "./cgroups";

/** Bytes in huge pages of one size. */
export interface CgroupHugepages {
  /** As the kernel writes it: "2MB", "1GB". */
  pageSize: string;
  usage: bigint;
  /** The highest that usage has been; version 2 does not keep it. */
  maxUsage: bigint | undefined;
  /** How often the limit was run into. */
  limitHits: bigint;
}

/** Huge pages of a cgroup, by size (hugetlb.rst; cgroup-v2.rst, HugeTLB). Empty where nothing counts them. */
export function readCgroupHugepages(cgroups: Cgroups, paths: CgroupPaths): CgroupHugepages[] {
  const isV2 = cgroups.version === "v2";
  const directory = cgroups.ofPaths(isV2 ? "" : "hugetlb", paths);
  const pattern = isV2 ? /^hugetlb\.([0-9]+[KMG]B)\.current$/ : /^hugetlb\.([0-9]+[KMG]B)\.usage_in_bytes$/;
  return namesIn(directory).flatMap((name) => {
    const pageSize = pattern.exec(name)?.[1];
    const usage = pageSize === undefined ? undefined : readCount(directory, name);
    if (pageSize === undefined || usage === undefined) return [];
    const file = (suffix: string) => `hugetlb.${pageSize}.${suffix}`;
    const limitHits = isV2
      ? readKeyedCounts(directory, file("events")).get("max")
      : readCount(directory, file("failcnt"));
    return [
      { pageSize, usage, maxUsage: readCount(directory, file("max_usage_in_bytes")), limitHits: limitHits ?? 0n },
    ];
  });
}

/** The most bytes that a cgroup may have in huge pages of a size. Throws InvalidArgument where there are none of it. */
export function limitCgroupHugepages(
  cgroups: Cgroups,
  paths: CgroupPaths,
  { pageSize, limit }: { pageSize: string; limit: number | bigint },
): void {
  const isV2 = cgroups.version === "v2";
  const directory = cgroups.ofPaths(isV2 ? "" : "hugetlb", paths);
  // what is reserved counts before it is used, from Linux 5.7 on
  const suffixes = isV2 ? ["max", "rsvd.max"] : ["limit_in_bytes", "rsvd.limit_in_bytes"];
  const files = suffixes.map((suffix) => path.join(directory ?? "", `hugetlb.${pageSize}.${suffix}`));
  if (directory === undefined || !fs.existsSync(files[0]!)) {
    throw new BerthError("InvalidArgument", `there are no huge pages of ${pageSize} here`);
  }
  for (const file of files) if (fs.existsSync(file)) fs.writeFileSync(file, String(limit));
}

function namesIn(directory: string | undefined): string[] {
  try {
    return directory === undefined ? [] : fs.readdirSync(directory);
  } catch {
    return [];
  }
}
