import { Logger } from "./log";

const collect = (format: "text" | "json", level: "debug" | "info" = "info") => {
  const lines: string[] = [];
  return { lines, log: new Logger(level, format, (line) => lines.push(line)) };
};

test("a text line has time, level, message and fields, quoted where needed", () => {
  const { lines, log } = collect("text");
  log.info("pod up", { id: "a", why: "b c", none: undefined });
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z info {2}pod up id=a why="b c"\n$/);
});

test("what comes from outside cannot forge lines or steer a terminal", () => {
  const { lines, log } = collect("text");
  log.warn("x\n2020 error forged", { name: "\u001b[2J" });
  expect(lines.join("").split("\n")).toHaveLength(2);
  expect(lines[0]).not.toContain("\u001b");
});

test("levels below the set one are left out; JSON can be read back", () => {
  const { lines, log } = collect("json");
  log.debug("no");
  log.error("yes", { n: 1 });
  expect(JSON.parse(lines.join(""))).toMatchObject({ level: "error", message: "yes", n: 1 });
});

test.each(["text", "json"] as const)("what looks like a credential is not written, as %s", (format) => {
  const { lines, log } = collect(format);
  log.warn("GET https://user:hunter2@example.org/v2/", { error: "Authorization: Bearer eyJhbGciOi.abc refused" });
  expect(lines.join("")).not.toMatch(/hunter2|eyJhbGciOi/);
  expect(lines.join("")).toContain("https://***@example.org/v2/");
  log.warn('"user:hunter2@example.org/x" is no reference', { image: "busybox:latest@sha256:0123" });
  expect(lines.join("")).not.toContain("hunter2");
  expect(lines.join("")).toContain("busybox:latest@sha256:0123");
});
