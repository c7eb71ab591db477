import fs from "node:fs";

export interface OpenFiles {
  descriptors: number;
  /** Those of them that are sockets. */
  sockets: number;
}

/** What processes hold open together (proc_pid_fd(5)); one that has ended counts for nothing. */
export function countOpenFiles(pids: readonly number[]): OpenFiles {
  const open = { descriptors: 0, sockets: 0 };
  for (const pid of pids) {
    const directory = `/proc/${pid}/fd`;
    let names: string[] = [];
    try {
      names = fs.readdirSync(directory);
    } catch {
      // ended meanwhile
    }
    open.descriptors += names.length;
    for (const name of names) {
      try {
        if (fs.readlinkSync(`${directory}/${name}`).startsWith("socket:")) open.sockets++;
      } catch {
        // closed meanwhile
      }
    }
  }
  return open;
}

/** The soft limit of open files of a process (proc_pid_limits(5)); undefined where it has none or is gone. */
export function openFilesLimit(pid: number): bigint | undefined {
  try {
    const found = /^Max open files +(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/limits`, "latin1"));
    return found ? BigInt(found[1]!) : undefined;
  } catch {
    return undefined;
  }
}
