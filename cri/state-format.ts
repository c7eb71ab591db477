import fs from "node:fs";
import path from "node:path";
import { BerthError, messageOf } from "../api/errors";
import { isDiskFault } from "../images/disk-error";
import { writeFileDurably } from "../sys/durable-file";
import { errnoOf } from "../sys/libc";
import { checkNumber, checkObject, checkText } from "./store/record-checks";
import { version } from "./version";

/** To be raised with each change of what lies in `root` or `state` that an earlier Berth would misread. */
export const stateFormat = 1;

const fileName = "format.json";

interface Claim {
  format: number;
  /** The release that wrote it, for who reads the refusal. */
  berth: string;
  /** The boot that it was written in (random(4), boot_id). */
  boot: string;
}

const bootId = () => fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

export interface ClaimModules {
  warn(message: string): void;
  /** Called where the directory was last used before the machine's last boot. Without it a reboot changes nothing. */
  forgetEarlierBoot?(): void;
}

/**
 * Marks a directory with the format of what this Berth writes into it; comes before all else is read there. Throws
 * FailedPrecondition, with nothing touched, where a newer Berth has written into it. A mark that is missing or damaged
 * says nothing: the records are judged one by one. A full disk that has no room for a mark without which nothing is lost
 * does not keep the daemon from starting: it is needed to make room.
 */
export async function claimDirectory(directory: string, { warn, forgetEarlierBoot }: ClaimModules): Promise<void> {
  const file = path.join(directory, fileName);
  const before = readClaim(file, warn);
  if (before && before.format > stateFormat) {
    throw new BerthError(
      "FailedPrecondition",
      `${directory} was written by a newer Berth (${before.berth.slice(0, 50)}, format ${before.format}); this is ` +
        `${version}, which reads formats up to ${stateFormat}`,
      { hint: `run the newer one; or drain the node with it, stop it, remove ${directory} and start this one` },
    );
  }
  const claim: Claim = { format: stateFormat, berth: version, boot: bootId() };
  if (before && before.boot !== claim.boot) forgetEarlierBoot?.();
  if (JSON.stringify(before) === JSON.stringify(claim)) return;
  try {
    await writeFileDurably(file, JSON.stringify(claim));
  } catch (error) {
    if (forgetEarlierBoot || !isDiskFault(error)) throw error;
    warn(`${file} could not be written, the next start tries again: ${messageOf(error)}`);
  }
}

function readClaim(file: string, warn: (message: string) => void): Claim | undefined {
  try {
    const value = checkObject(JSON.parse(fs.readFileSync(file, "utf8")));
    return { format: checkNumber(value, "format"), berth: checkText(value, "berth"), boot: checkText(value, "boot") };
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") {
      warn(`${file} can't be read and is written anew: ${messageOf(error)}`);
      fs.rmSync(file, { recursive: true, force: true });
    }
    return undefined;
  }
}
