import fs from "node:fs";

/** Threads by what they are at (proc_pid_stat(5)). */
export interface TaskStates {
  sleeping: number;
  running: number;
  /** By a signal or a tracer. */
  stopped: number;
  /** Waiting for what no signal ends, a disk for the most part. */
  uninterruptible: number;
}

const byLetter: Record<string, keyof TaskStates> = {
  S: "sleeping",
  I: "sleeping",
  R: "running",
  T: "stopped",
  t: "stopped",
  D: "uninterruptible",
};

/** What the threads of processes are at together; one that has ended counts for nothing. */
export function countTaskStates(pids: readonly number[]): TaskStates {
  const states: TaskStates = { sleeping: 0, running: 0, stopped: 0, uninterruptible: 0 };
  for (const pid of pids) {
    for (const task of tasksOf(pid)) {
      const state = byLetter[letterOf(`/proc/${pid}/task/${task}/stat`)];
      if (state) states[state]++;
    }
  }
  return states;
}

function tasksOf(pid: number): string[] {
  try {
    return fs.readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

// the name before it is in parentheses and may hold any character
function letterOf(file: string): string {
  try {
    const text = fs.readFileSync(file, "latin1");
    return text.charAt(text.lastIndexOf(")") + 2);
  } catch {
    return "";
  }
}
