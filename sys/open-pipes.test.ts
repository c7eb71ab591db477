import fs from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { openPipes } from "./open-pipes";
import { pipeToChild } from "./pipe-to-child";
import { pipeFromChild } from "./spawn";

const open = () => fs.readdirSync("/proc/self/fd").length;

test("openPipes() closes those that it has opened when the next one can't be", async () => {
  const before = open();
  const none = () => {
    throw new Error("EMFILE");
  };
  expect(() => openPipes(pipeFromChild, pipeToChild, none)).toThrow("EMFILE");
  await turn();
  expect(open()).toBe(before);
  const [out, input] = openPipes(pipeFromChild, pipeToChild);
  expect(open()).toBe(before + 4);
  for (const { child, stream } of [out, input]) {
    fs.closeSync(child);
    stream.destroy();
  }
  await turn();
  expect(open()).toBe(before);
});
