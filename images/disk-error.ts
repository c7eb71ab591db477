import { BerthError, during } from "../api/errors";
import { errnoOf } from "../sys/libc";

const reasons: Record<string, string> = {
  ENOSPC: "no space or no inodes are left",
  EDQUOT: "the quota is used up",
  EROFS: "the file system is read-only",
  EIO: "the disk failed",
};

/** Whether an error says that the disk is full, read-only or broken. */
export const isDiskFault = (error: unknown): boolean => Object.hasOwn(reasons, errnoOf(error) ?? "");

/**
 * An error met while writing at `path`: ResourceExhausted with the path where the disk is full, read-only or broken;
 * else its own code.
 */
export function diskError(path: string, error: unknown): BerthError {
  const reason = reasons[errnoOf(error) ?? ""];
  if (reason === undefined) return during(`writing ${path}`, error);
  return new BerthError("ResourceExhausted", `writing ${path}: ${reason}`, {
    hint: "free space there, then try again",
    cause: error,
  });
}
