import type { TarEntry } from "./tar.cjs";

export const PATH: string;
/** An image configuration with a search path that runs a shell. */
export const SHELL: { Env: string[]; Cmd: string[] };
/** @param binary a static busybox, such as Debian's /bin/busybox */
export function busyboxEntries(binary: string): TarEntry[];
