import { BerthError, messageOf } from "../../api/errors";
import { errnoOf } from "../../sys/libc";
import { ParsedFiles } from "../parsed-files";
import type { SpecSeccomp } from "../runtime-spec";
import { parseProfile } from "./parse-profile";

const profiles = new ParsedFiles<SpecSeccomp>({ limitBytes: 4 << 20, maxCached: 64, parse: parseProfile });

/**
 * A seccomp profile of the node's. It is read again when the file changes, and at most 4 MiB of it. Throws
 * InvalidArgument for a path that is not absolute, a file that cannot be read, and what is no profile.
 */
export async function readProfile(file: string): Promise<SpecSeccomp> {
  try {
    if (!file.startsWith("/") || file.includes("\0"))
      throw new BerthError("InvalidArgument", "the path is not absolute");
    return await profiles.read(file);
  } catch (cause) {
    const reason = errnoOf(cause) === "ENOENT" ? "there is no such file" : messageOf(cause);
    const name = JSON.stringify(file.slice(0, 300));
    throw new BerthError("InvalidArgument", `the seccomp profile ${name}: ${reason}`, { cause });
  }
}
