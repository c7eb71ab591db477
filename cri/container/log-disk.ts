import { BerthError } from "../../api/errors";
import { Limiter } from "../../sys/limiter";

/** Each holds one of the few threads by which all files are read, for as long as the disk does not answer. */
const mostAtOnce = 2;
/** The longest that a disk may take for what a request needs of it. */
const patienceMs = 10_000;

const limiter = new Limiter(mostAtOnce);

/**
 * Does a bit of work on the disk of a container's log: it may stall, and then must hold up neither this process nor
 * what is read from other disks. Throws DeadlineExceeded where it takes too long; what the kernel has begun then, it may
 * still finish.
 */
export async function onLogDisk<T>(file: string, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      timer = undefined;
      reject(new BerthError("DeadlineExceeded", `${file}: its disk has not answered for ${patienceMs / 1000} s`));
    }, patienceMs);
  });
  try {
    // nobody waits any more for what comes late to its turn
    return await Promise.race([limiter.run(async () => (timer ? work() : tooLate)), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
