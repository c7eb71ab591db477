import fs from "node:fs/promises";
import path from "node:path";
import { BerthError } from "../../api/errors";
import { duringAtAskedPath } from "../../sys/asked-path";
import { errnoOf } from "../../sys/libc";
import { onLogDisk } from "./log-disk";

/**
 * The absolute path of a container's log, "" where it has none. The file's directory is made; what lies at the path
 * must be no link, or a log could be written anywhere (CVE-2025-0750). Throws InvalidArgument, and DeadlineExceeded
 * where the disk does not answer.
 */
export async function prepareLogPath(logDirectory: string, logPath: string): Promise<string> {
  if (logDirectory === "" || logPath === "") return "";
  if (logPath.startsWith("/") || logPath.split("/").includes("..") || logPath.includes("\0")) {
    throw new BerthError("InvalidArgument", `log_path "${logPath.slice(0, 200)}" leads out of the log directory`);
  }
  const file = path.join(logDirectory, logPath);
  await makeLogDirectory(path.dirname(file));
  await checkLogFile(logDirectory, file);
  return file;
}

/**
 * Throws InvalidArgument where a log may not be written to `file`, in or below `logDirectory`: where a link on the way
 * leads out, or something else lies there than a file, or where the monitor puts a new one before it has its name.
 */
export async function checkLogFile(logDirectory: string, file: string): Promise<void> {
  await atLogPath("the log", file, async () => {
    const inside = path.relative(await fs.realpath(logDirectory), await fs.realpath(path.dirname(file)));
    if (inside === ".." || inside.startsWith("../")) {
      throw new BerthError("InvalidArgument", `log_path "${file}" leads out of the log directory by a link`);
    }
    for (const place of [file, `${file}.tmp`]) {
      const there = await fs.lstat(place).catch((error) => {
        if (errnoOf(error) !== "ENOENT") throw error;
      });
      if (there && !there.isFile()) {
        throw new BerthError("InvalidArgument", `the log file ${place} is there already and is no regular file`);
      }
    }
  });
}

/** Makes a directory for logs where it is missing. Throws InvalidArgument for a path where none can be. */
export async function makeLogDirectory(directory: string): Promise<void> {
  await atLogPath("the log directory", directory, () => fs.mkdir(directory, { recursive: true, mode: 0o711 }));
}

async function atLogPath(what: string, place: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await onLogDisk(place, work);
  } catch (error) {
    throw duringAtAskedPath(what, error);
  }
}
