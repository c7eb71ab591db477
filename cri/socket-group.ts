import fs from "node:fs";
import { BerthError } from "../api/errors";

/** The number of a group by its name or number; 0 for "". Throws InvalidArgument where there is none. */
export function groupNumber(name: string): number {
  if (name === "") return 0;
  if (/^\d+$/.test(name)) return Number(name);
  for (const line of fs.readFileSync("/etc/group", "utf8").split("\n")) {
    const [group, , gid] = line.split(":");
    if (group === name) return Number(gid);
  }
  throw new BerthError("InvalidArgument", `socket_group: there is no group "${name}" on this machine`);
}
