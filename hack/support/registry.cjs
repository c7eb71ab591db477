// A registry of one's own: Debian's docker-registry on a loopback port.
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");

/** A TCP port of the loopback address that nobody listens on now. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function answers(url) {
  try {
    return (await fetch(`${url}/v2/`)).status < 500;
  } catch {
    return false;
  }
}

/** Ends a child by its pid, softly and then by force. */
async function stopChild(child, graceMs = 5000) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await gone;
  clearTimeout(timer);
}

async function startRegistry(directory) {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const url = `http://${address}`;
  fs.mkdirSync(directory, { recursive: true });
  const file = path.join(directory, "registry.yml");
  const configuration = {
    version: 0.1,
    log: { level: "warn", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: path.join(directory, "data") }, delete: { enabled: true } },
    http: { addr: address },
  };
  fs.writeFileSync(file, JSON.stringify(configuration)); // JSON is YAML too
  const log = path.join(directory, "registry.log");
  const output = fs.openSync(log, "w");
  const child = spawn("docker-registry", ["serve", file], { stdio: ["ignore", output, output], detached: true });
  fs.closeSync(output);
  let problem = "";
  child.on("error", (error) => {
    problem = error.message;
  });
  for (let waitedMs = 0; !(await answers(url)); waitedMs += 50) {
    if (problem || child.exitCode !== null || waitedMs > 15_000) {
      await stopChild(child);
      throw new Error(`docker-registry does not answer on ${address}: ${problem || fs.readFileSync(log, "utf8")}`);
    }
    await sleep(50);
  }
  return { url, address, log, pid: child.pid, stop: () => stopChild(child) };
}

module.exports = { freePort, stopChild, startRegistry };
