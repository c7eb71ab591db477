// Starts a runtime's daemon, whichever it is, and tells how long it took to be of use.
import { spawn } from "node:child_process";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const GIVE_UP_MS = 60_000;

/**
 * Starts a program and asks for its containers until it answers.
 * @param what { command, env, log, socket, Client }
 * @returns { child, client, milliseconds }: from the start of the program to the first answer
 */
export async function startServer({ command: [file, ...args], env, log, socket, Client }) {
  fs.rmSync(socket, { force: true }); // of the one before, which would refuse
  const output = fs.openSync(log, "a");
  const began = performance.now();
  const child = spawn(file, args, { stdio: ["ignore", output, output], env, detached: true });
  fs.closeSync(output);
  let problem = "";
  child.on("error", (error) => {
    problem = error.message;
  });
  for (;;) {
    if (fs.existsSync(socket)) {
      // a client that was refused once would wait a second
      const client = new Client(socket);
      try {
        await client.runtime("ListContainers", {}, { timeoutMs: 30_000 });
        return { child, client, milliseconds: performance.now() - began };
      } catch {
        client.close(); // not yet
      }
    }
    if (problem || child.exitCode !== null || child.signalCode !== null || performance.now() - began > GIVE_UP_MS)
      throw new Error(`${file} does not start: ${problem}\n${fs.readFileSync(log, "utf8").slice(-4000)}`);
    await sleep(2);
  }
}
