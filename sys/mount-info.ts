import fs from "node:fs";

export interface MountEntry {
  /** The path within its filesystem that is mounted here. */
  root: string;
  mountPoint: string;
  /** Such as "rw,nosuid". */
  options: string[];
  /** Such as "shared:12", "master:3"; empty for a private mount. */
  propagation: string[];
  type: string;
  source: string;
  superOptions: string[];
}

const unescapeOctal = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Every mount of this process, in the order of mounting (proc_pid_mountinfo(5)). */
export function readMountInfo(file = "/proc/self/mountinfo"): MountEntry[] {
  return fs.readFileSync(file, "utf8").split("\n").filter(Boolean).map(parseMountInfoLine);
}

export function parseMountInfoLine(line: string): MountEntry {
  const [before = "", after = ""] = line.split(" - ");
  const left = before.split(" ");
  const right = after.split(" ");
  return {
    root: unescapeOctal(left[3] ?? ""),
    mountPoint: unescapeOctal(left[4] ?? ""),
    options: (left[5] ?? "").split(","),
    propagation: left.slice(6),
    type: right[0] ?? "",
    source: unescapeOctal(right[1] ?? ""),
    superOptions: (right[2] ?? "").split(","),
  };
}

/** The mount that `path` (absolute and free of links) lies on. */
export function mountOf(path: string, mounts = readMountInfo()): MountEntry | undefined {
  let found: MountEntry | undefined;
  for (const mount of mounts) {
    const prefix = mount.mountPoint === "/" ? "/" : `${mount.mountPoint}/`;
    if (path !== mount.mountPoint && !path.startsWith(prefix)) continue;
    // of two on one point the later one covers the earlier
    if (!found || mount.mountPoint.length >= found.mountPoint.length) found = mount;
  }
  return found;
}
