import { readChunksInRoot } from "../../sys/rooted-path";
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

/** The accounts of a root filesystem; none where it has no such file. Throws InvalidArgument as `readChunksInRoot`. */
export function* accountsIn(root: string): Iterable<Account> {
  for (const line of linesIn(root, "/etc/passwd")) {
    const [name = "", , uid = "", gid = ""] = line.split(":");
    if (name !== "" && isId(uid) && isId(gid)) yield { name, uid: Number(uid), gid: Number(gid) };
  }
}

/** The groups of a root filesystem, likewise. */
export function* groupsIn(root: string): Iterable<AccountGroup> {
  for (const line of linesIn(root, "/etc/group")) {
    const [name = "", , gid = "", members = ""] = line.split(":");
    if (name !== "" && isId(gid)) yield { name, gid: Number(gid), members: members.split(",").map((m) => m.trim()) };
  }
}

// a line that is not as it should be names nobody, as in the C library
const isId = (text: string) => /^[0-9]{1,10}$/.test(text) && Number(text) <= maxAccountId;

function* linesIn(root: string, path: string): Iterable<string> {
  let rest = "";
  for (const chunk of readChunksInRoot({ root, path, limitBytes }) ?? []) {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    // latin1 keeps bytes apart from one another whatever a chunk cuts; names are compared as UTF-8
    for (const line of lines) yield utf8Of(line);
  }
  if (rest !== "") yield utf8Of(rest);
}

const utf8Of = (line: string) => Buffer.from(line, "latin1").toString("utf8").trim();
