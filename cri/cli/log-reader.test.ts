import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseLogLine, readLog } from "./log-reader";

test("parseLogLine() reads the CRI's format", () => {
  expect(parseLogLine("2026-01-01T00:00:00.000000001Z stdout F hello world")).toEqual({
    time: "2026-01-01T00:00:00.000000001Z",
    stream: "stdout",
    text: "hello world\n",
  });
  expect(parseLogLine("2026-01-01T00:00:00Z stderr P par")).toMatchObject({ stream: "stderr", text: "par" });
  expect(parseLogLine("rubbish")).toBeUndefined();
});

test("readLog() follows until told that it is over, and misses nothing", async () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "berth-log-")), "x.log");
  try {
    let asked = 0;
    const isOver = async () => {
      asked++;
      fs.appendFileSync(file, `t stdout F line ${asked}\n`);
      return asked === 3;
    };
    const texts = [];
    for await (const { text } of readLog(file, { isOver })) texts.push(text);
    expect(texts).toEqual(["line 1\n", "line 2\n", "line 3\n"]);
  } finally {
    fs.rmSync(path.dirname(file), { recursive: true });
  }
});
