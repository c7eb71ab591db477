import { BerthError, type ErrorCode } from "../../api/errors";

/**
 * What a runtime says tells who can do something about it. crun and runc have no codes, but both pass on the kernel's
 * words for what went wrong (strerror(3)) and few of their own.
 */
const meanings: [RegExp, ErrorCode][] = [
  [/executable file|no such file|not found in \$PATH/i, "NotFound"],
  [/memory limit (could be )?too low/i, "InvalidArgument"],
  // the last is what the kernel says of a path that leads out of the container's root by way of /proc
  [
    /invalid argument|out of range|name too long|argument list too long|too many levels|cross-device link/i,
    "InvalidArgument",
  ],
  [
    /not permitted|permission denied|not a directory|is a directory|exec format|resource busy|current usage|read-only file system|file exists|not supported|no such device/i,
    "FailedPrecondition",
  ],
  [/cannot allocate memory|no space left|temporarily unavailable|too many open files/i, "ResourceExhausted"],
];

/** The error for what a runtime has said while `doing`; Internal where its words tell nothing. */
export function runtimeFailure(doing: string, said: string): BerthError {
  const code = meanings.find(([words]) => words.test(said))?.[1] ?? "Internal";
  return new BerthError(code, `${doing}: ${said || "the runtime gave no reason"}`);
}
