import { BerthError, during } from "../api/errors";
import { errnoOf } from "./libc";

/** What a path has wrong by itself, whoever uses it: too long, through a file, in a circle, ending nowhere. */
const faults = new Set(["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "ELOOP", "EINVAL", "EEXIST"]);

export const isPathFault = (error: unknown): boolean => faults.has(errnoOf(error) ?? "");

/** An error met at a path that a request has named: InvalidArgument where the path itself is wrong, else its own code. */
export function duringAtAskedPath(doing: string, error: unknown): BerthError {
  const found = during(doing, error);
  if (error instanceof BerthError || !isPathFault(error)) return found;
  return new BerthError("InvalidArgument", found.message, { cause: error });
}
