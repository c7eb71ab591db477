import fs from "node:fs";
import path from "node:path";
import { BerthError } from "../../api/errors";
import { duringAtAskedPath } from "../../sys/asked-path";

/**
 * The absolute path of a container's log, "" where it has none. The file's directory is made; what lies at the path
 * must be no link, or a log could be written anywhere (CVE-2025-0750). Throws InvalidArgument.
 */
export function prepareLogPath(logDirectory: string, logPath: string): string {
  if (logDirectory === "" || logPath === "") return "";
  if (logPath.startsWith("/") || logPath.split("/").includes("..") || logPath.includes("\0")) {
    throw new BerthError("InvalidArgument", `log_path "${logPath.slice(0, 200)}" leads out of the log directory`);
  }
  try {
    return placeOf(logDirectory, logPath);
  } catch (error) {
    throw duringAtAskedPath("the log", error);
  }
}

function placeOf(logDirectory: string, logPath: string): string {
  const file = path.join(logDirectory, logPath);
  makeLogDirectory(path.dirname(file));
  const inside = path.relative(fs.realpathSync(logDirectory), fs.realpathSync(path.dirname(file)));
  if (inside === ".." || inside.startsWith("../")) {
    throw new BerthError(
      "InvalidArgument",
      `log_path "${logPath.slice(0, 200)}" leads out of the log directory by a link`,
    );
  }
  const there = fs.lstatSync(file, { throwIfNoEntry: false });
  if (there && !there.isFile()) {
    throw new BerthError("InvalidArgument", `the log file ${file} is there already and is no regular file`);
  }
  return file;
}

/** Makes a directory for logs where it is missing. Throws InvalidArgument for a path where none can be. */
export function makeLogDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o711 });
  } catch (error) {
    throw duringAtAskedPath("the log directory", error);
  }
}
