import { BerthError } from "../../api/errors";
import { examine } from "../doctor/examine";
import type { Finding } from "../doctor/finding";
import { type Command, configHelp, configOf, secondsOf } from "./command";

export const doctor: Command = {
  usage: "doctor [--all] [--min-age S] [--output json] [--config FILE]",
  help: `Looks at what the node needs and has left behind: kernel, cgroups, programs and known flaws of theirs,
network, space, the daemon, and what belongs to nobody. Says what is not as it should be and what to do about it;
changes nothing. Exits with 1 where something keeps pods from working, with 0 where there are warnings at most.

  -a, --all       what is as it should be too
  --min-age S     what belongs to nobody is told from this age on, in seconds (600): it may be in the making
  --output json   as JSON
${configHelp}`,
  options: { all: { type: "boolean", short: "a" }, "min-age": { type: "string" }, output: { type: "string" } },
  async run(values) {
    if (process.getuid?.() !== 0) throw new BerthError("PermissionDenied", "the node can be looked at by root alone");
    const found = await examine(configOf(values), secondsOf(values, "min-age", 600) * 1000);
    const shown = found.filter(({ level }) => values["all"] || (level !== "ok" && level !== "info"));
    if (values["output"] === "json") process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
    else process.stdout.write(`${shown.map(line).join("")}${summary(found)}\n`);
    return found.some(({ level }) => level === "error") ? 1 : 0;
  },
};

function line({ check, level, message, remedy }: Finding): string {
  const head = `${level.padEnd(7)}  ${check.padEnd(8)}  `;
  return `${head}${message}\n${remedy ? `${" ".repeat(head.length)}remedy: ${remedy}\n` : ""}`;
}

function summary(found: Finding[]): string {
  const count = (level: Finding["level"]) => found.filter((each) => each.level === level).length;
  const [errors, warnings] = [count("error"), count("warning")];
  const plural = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  return errors + warnings === 0
    ? `all is well: ${found.length} points were looked at`
    : `${plural(errors, "error")}, ${plural(warnings, "warning")} of ${found.length} points; --all shows all`;
}
