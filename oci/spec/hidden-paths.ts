import { checkAbsolutePath, checkCount } from "./check-text";

export interface HiddenPaths {
  maskedPaths: string[];
  readonlyPaths: string[];
}

/**
 * What is hidden or read-only within the container: exactly the request's lists, none of a default, and nothing for a
 * privileged container (KEP-4265, ProcMount, is done by the kubelet through these lists). Throws InvalidArgument.
 */
export function hiddenPaths(context: (HiddenPaths & { privileged: boolean }) | null): HiddenPaths {
  if (!context || context.privileged) return { maskedPaths: [], readonlyPaths: [] };
  const check = (what: string, paths: string[]) => {
    checkCount(`${what}s`, paths, 4096);
    return paths.map((path) => checkAbsolutePath(`the ${what}`, path));
  };
  return {
    maskedPaths: check("masked path", context.maskedPaths),
    readonlyPaths: check("read-only path", context.readonlyPaths),
  };
}
