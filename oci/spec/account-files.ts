import { setImmediate as nextTurn } from "node:timers/promises";
import { checkFileInRoot, readChunksInRoot } from "../../sys/rooted-path";
import { quote, invalid } from "./check-text";

/** A line of /etc/passwd (passwd(5)), as far as it matters. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** A line of /etc/group (group(5)). */
export interface AccountGroup {
  name: string;
  gid: number;
  members: string[];
}

/** runc takes no larger ones, and neither does containerd. */
export const maxAccountId = 2147483647;

const limitBytes = 10 * 1024 * 1024;

/** A user's or group's number as a text, refused where it is out of range; undefined where it is no number at all. */
export function parseAccountId(what: "user" | "group", text: string): number | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined;
  return checkAccountId(what, BigInt(text.replace(/^\+/, "")));
}

/** Throws InvalidArgument outside 0 to 2147483647. */
export function checkAccountId(what: "user" | "group", id: bigint): number {
  if (id < 0n || id > BigInt(maxAccountId)) {
    throw invalid(`the ${what} ${quote(id.toString())} is not between 0 and ${maxAccountId}`);
  }
  return Number(id);
}

/**
 * Throws InvalidArgument for account files that cannot be read: runtimes read both within the container, whoever runs
 * in it, and runc waits for ever for the writer of a FIFO.
 */
export function checkAccountFiles(root: string): void {
  for (const path of ["/etc/passwd", "/etc/group"]) checkFileInRoot({ root, path, limitBytes });
}

/**
 * The accounts of a root filesystem in their order, many at a time; none where it has no such file. Throws
 * InvalidArgument as `readChunksInRoot`.
 */
export async function* accountsIn(root: string): AsyncIterable<Account[]> {
  for await (const lines of linesIn(root, "/etc/passwd")) {
    const accounts = lines.map((line) => line.split(":"));
    yield accounts
      .filter(([name = "", , uid = "", gid = ""]) => name !== "" && isId(uid) && isId(gid))
      .map(([name, , uid, gid]) => ({ name: name!, uid: Number(uid), gid: Number(gid) }));
  }
}

/** The groups of a root filesystem, likewise. */
export async function* groupsIn(root: string): AsyncIterable<AccountGroup[]> {
  for await (const lines of linesIn(root, "/etc/group")) {
    const groups = lines.map((line) => line.split(":"));
    yield groups
      .filter(([name = "", , gid = ""]) => name !== "" && isId(gid))
      .map(([name, , gid, members = ""]) => ({
        name: name!,
        gid: Number(gid),
        members: members.split(",").map((member) => member.trim()),
      }));
  }
}

// a line that is not as it should be names nobody, as in the C library
const isId = (text: string) => /^[0-9]{1,10}$/.test(text) && Number(text) <= maxAccountId;

async function* linesIn(root: string, path: string): AsyncIterable<string[]> {
  // of a line whose end has not come yet
  let pieces: Buffer[] = [];
  for (const chunk of readChunksInRoot({ root, path, limitBytes }) ?? []) {
    const end = chunk.lastIndexOf("\n");
    if (end >= 0) {
      yield textOf([...pieces, chunk.subarray(0, end)])
        .split("\n")
        .map((line) => line.trim());
      pieces = [];
    }
    pieces.push(chunk.subarray(end + 1));
    // an image that has the most that is allowed must not keep others waiting
    await nextTurn();
  }
  yield [textOf(pieces).trim()];
}

const textOf = (pieces: Buffer[]) => Buffer.concat(pieces).toString("utf8");
