import fs from "node:fs/promises";
import path from "node:path";
import { BerthError, messageOf } from "../../api/errors";
import { errnoOf } from "../../sys/libc";
import { ParsedFiles } from "../parsed-files";
import { splitName } from "./device-name";
import { parseSpec } from "./parse-spec";
import type { CdiEdits, CdiSpec } from "./spec";

/** Edits with the file that they stand in, for errors. */
export interface FoundEdits {
  file: string;
  edits: CdiEdits;
}

export interface FoundDevices {
  /** In the order of application: those of a file, once, before those of its devices. */
  edits: FoundEdits[];
  /** Files that could not be used and were not needed. */
  warnings: string[];
}

/** A file, as far as it can be used. */
type Outcome = { spec: CdiSpec } | { problem: string };
interface ReadFile {
  file: string;
  outcome: Outcome;
}

const maxFiles = 4096;

// what is wrong with a file is remembered too, so that a large one is not parsed for each container
const specFiles = new ParsedFiles<Outcome>({
  limitBytes: 1 << 20,
  maxCached: maxFiles,
  parse(text, file) {
    try {
      return { spec: parseSpec(text, file) };
    } catch (error) {
      return { problem: messageOf(error) };
    }
  },
});

/**
 * Looks devices up by name in the CDI files of directories, of which a later one goes before an earlier (SPEC.md; the
 * order of the peers). A device that two files of one directory name belongs to neither. Throws InvalidArgument for bad
 * names, FailedPrecondition for devices that are not there, with the files that can't be read, as it may stand in these.
 */
export async function findDevices(names: string[], directories: string[]): Promise<FoundDevices> {
  if (names.length === 0) return { edits: [], warnings: [] };
  const groups: ReadFile[][] = [];
  for (const directory of directories.toReversed()) groups.push(await readDirectory(directory));
  const problems = groups
    .flat()
    .flatMap(({ file, outcome }) => ("problem" in outcome ? [`${file}: ${outcome.problem}`] : []));
  const edits: FoundEdits[] = [];
  const used = new Set<string>();
  const missing: string[] = [];
  for (const name of names) {
    const found = findDevice(name, groups);
    if (!found) {
      missing.push(name);
      continue;
    }
    const { file, spec, device } = found;
    if (!used.has(file)) edits.push({ file, edits: spec.edits });
    used.add(file);
    edits.push({ file, edits: device });
  }
  if (missing.length > 0) throw unresolvable(missing, problems);
  return { edits, warnings: problems.map((problem) => `left out the CDI file ${problem}`) };
}

function findDevice(name: string, groups: ReadFile[][]) {
  const { kind, device } = splitName(name);
  for (const group of groups) {
    const found = group.flatMap(({ file, outcome }) => {
      const edits = "spec" in outcome && outcome.spec.kind === kind ? outcome.spec.devices.get(device) : undefined;
      return edits && "spec" in outcome ? [{ file, spec: outcome.spec, device: edits }] : [];
    });
    if (found.length > 1) {
      const files = found.map(({ file }) => file).join(" and ");
      throw new BerthError("FailedPrecondition", `the CDI device "${name}" is in conflict: ${files} both have it`);
    }
    if (found[0]) return found[0];
  }
  return undefined;
}

function unresolvable(names: string[], problems: string[]): BerthError {
  const list = names
    .slice(0, 16)
    .map((name) => name.slice(0, 200))
    .join(", ");
  const unread = problems.length > 0 ? `; CDI files that can't be used: ${problems.slice(0, 8).join("; ")}` : "";
  return new BerthError("FailedPrecondition", `unresolvable CDI devices ${list}${unread}`);
}

async function readDirectory(directory: string): Promise<ReadFile[]> {
  let names: string[];
  try {
    names = await fs.readdir(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    return [{ file: directory, outcome: { problem: messageOf(error) } }];
  }
  const files = names.filter((name) => /\.(json|yaml)$/.test(name)).sort();
  if (files.length > maxFiles) return [{ file: directory, outcome: { problem: `it has more than ${maxFiles} files` } }];
  const read: ReadFile[] = [];
  for (const name of files) {
    const file = path.join(directory, name);
    try {
      read.push({ file, outcome: await specFiles.read(file) });
    } catch (error) {
      // a device that is taken away takes its file along
      if (errnoOf(error) !== "ENOENT") read.push({ file, outcome: { problem: messageOf(error) } });
    }
  }
  return read;
}
