import { setTimeout as sleep } from "node:timers/promises";
import { BerthError } from "../../api/errors";
import { Limiter } from "../../sys/limiter";
import { mountOf, readMountInfo } from "../../sys/mount-info";

/** The longest that a disk may take for what a request needs of it. */
const patienceMs = 10_000;
/** What takes longer is not busy but stalled. */
const stallMs = 500;

/** Each holds one of the few threads by which all files are read, for as long as its disk does not answer. */
const limiter = new Limiter(2);
/** The end of each stall, by mount point. */
const stalls = new Map<string, Promise<void>>();

/**
 * Does a bit of work on the disk of a container's log: it may stall, and then must hold up neither this process nor
 * what lies on other disks. Throws DeadlineExceeded where it takes too long; what the kernel has begun then, it may
 * still finish.
 */
export async function onLogDisk<T>(file: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    const stall = stallOf(file);
    if (stall) await inTime(file, stall);
    // to wait for one's turn is no fault of the disk: who holds it up is noted as a stall soon
    const begun = await limiter.run(async () => {
      if (stallOf(file)) return undefined;
      const doing = work();
      const done = doing.then(
        () => true,
        () => true,
      );
      if (!(await Promise.race([done, sleep(stallMs, false, { ref: false })]))) noteStall(file, done);
      return { doing };
    });
    if (begun) return inTime(file, begun.doing);
  }
}

async function inTime<T>(file: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `${file}: its disk has not answered for ${patienceMs / 1000} s`;
    // what was answered while this process was busy is heard first
    timer = setTimeout(() => setImmediate(() => reject(new BerthError("DeadlineExceeded", message))), patienceMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

// judged by the path's text, for looking at it could stall as well
const mountPointOf = (file: string) => mountOf(file, readMountInfo())?.mountPoint ?? "/";

const stallOf = (file: string) => (stalls.size > 0 ? stalls.get(mountPointOf(file)) : undefined);

function noteStall(file: string, done: Promise<unknown>): void {
  const mountPoint = mountPointOf(file);
  const over = Promise.all([stalls.get(mountPoint), done]).then(() => {
    if (stalls.get(mountPoint) === over) stalls.delete(mountPoint);
  });
  stalls.set(mountPoint, over);
}
