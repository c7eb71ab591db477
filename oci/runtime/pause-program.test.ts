import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pauseProgram } from "./pause-program";

test("pauseProgram() sleeps with SIGCHLD ignored", async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-pause-"));
  const file = path.join(directory, "pause");
  fs.writeFileSync(file, pauseProgram(), { mode: 0o755 });
  const child = spawn(file, { stdio: "ignore" });
  try {
    await once(child, "spawn");
    let status = "";
    for (let i = 0; i < 200 && !/SigIgn:\s+0000000000010000/.test(status); i++) {
      status = fs.readFileSync(`/proc/${child.pid}/status`, "utf8");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(status).toMatch(/SigIgn:\s+0000000000010000/);
    expect(status).toMatch(/State:\s+S/);
  } finally {
    child.kill("SIGKILL");
    fs.rmSync(directory, { recursive: true });
  }
});

test("pauseProgram() refuses an architecture that it has no form for", () => {
  expect(() => pauseProgram("mips")).toThrow("mips");
});
