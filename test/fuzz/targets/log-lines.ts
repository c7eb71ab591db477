import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { type LogLine, parseLogLine, readLog } from "../../../cri/cli/log-reader";
import { printable } from "../../../cri/printable";
import { readTerminalSizes } from "../../../cri/streaming/terminal-sizes";
import { safeText } from "../../../images/remote-text";
import { printableText } from "../../../cni/printable-text";
import { runtimeFailure } from "../../../oci/runtime/runtime-failure";
import { runtimeMessage } from "../../../oci/runtime/runtime-message";
import { Readable } from "node:stream";
import { workDirectory as directory } from "../canary";
import { type FuzzTarget, promise } from "../target";

const file = path.join(directory, `${randomBytes(4).toString("hex")}.log`);
const steering = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

/** Lines of container logs, what runtimes say, and other texts of strangers that end in a line of ours. */
export const target: FuzzTarget = {
  seeds: () =>
    [
      "2026-01-01T00:00:00.123456789Z stdout F hello\n2026-01-01T00:00:00.2Z stderr P half\n",
      "2026-01-01T00:00:00.123456789+02:00 stdout F:tag with tag\r\n",
      'time="2026-01-01T00:00:00Z" level=error msg="runc create failed: exec: \\"x\\": not found in $PATH"\n',
      "2026-01-01T00:00:00.1Z: executable file `x` not found: No such file or directory\n",
      '{"Width":80,"Height":24}\n{"Width":1,"Height":65536}{"Width":"x"}',
      "\u001b[31m https://user:secret@h.io/x?token=secret \u202e",
    ].map((text) => Buffer.from(text)),
  async run(input) {
    fs.writeFileSync(file, input);
    const lines: LogLine[] = [];
    for await (const line of readLog(file)) lines.push(line);
    const expected = input
      .toString("utf8")
      .replace(/^\ufeff/, "")
      .split("\n")
      .slice(0, -1)
      .flatMap((line) => parseLogLine(line) ?? []);
    promise(lines.length === expected.length, () => `${lines.length} lines of a log that has ${expected.length}`);
    lines.forEach((line, index) => {
      promise(JSON.stringify(line) === JSON.stringify(expected[index]), () => `line ${index} of a log is another one`);
    });
    const text = input.toString("utf8");
    for (const shown of [printable(text), printableText(text), safeText(text, ["secret"])]) {
      promise(!steering.test(shown), () => `${JSON.stringify(shown)} steers a terminal`);
    }
    promise(!safeText(text, ["secret"]).includes("secret"), () => "a secret is shown");
    promise(printableText(text).length <= 1001, () => "a text is long");
    const failure = runtimeFailure("create failed", runtimeMessage(text));
    promise(failure.message.length < 2100, () => "a runtime's message is long");
    const half = input.length >> 1;
    readTerminalSizes(Readable.from([input.subarray(0, half), input.subarray(half)]), ({ rows, columns }) => {
      promise(rows > 0 && rows < 65536 && columns > 0 && columns < 65536, () => `a terminal of ${columns}x${rows}`);
    });
  },
};
