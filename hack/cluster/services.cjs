// The cluster's daemons, kept running as systemd would: one that ends is started again, whoever ended it. A file with
// the pid of each says that it runs; tests find it there, and may hold a daemon down by a file beside it.
const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { FILES } = require("./node.cjs");

const RESTART_AFTER_MS = 500;
const pidFile = (name) => path.join(FILES.services, `${name}.pid`);
const holdFile = (name) => path.join(FILES.services, `${name}.hold`);

/** Keeps a daemon running until the namespace of processes ends. See Service in services.d.cts. */
function keepRunning({ name, command, cgroups = [], environment = {} }) {
  fs.mkdirSync(FILES.services, { recursive: true });
  fs.mkdirSync(FILES.logs, { recursive: true });
  // It joins its cgroups itself, so that no child of it can miss them.
  const join = cgroups.map((directory) => `echo $$ >'${directory}/cgroup.procs'`);
  const script = [...join, 'exec "$@"'].join(" && ");
  const run = () => {
    const log = fs.openSync(path.join(FILES.logs, `${name}.log`), "a");
    const child = spawn("sh", ["-c", script, "sh", ...command], {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...environment },
      detached: true,
    });
    fs.closeSync(log);
    if (child.pid !== undefined) fs.writeFileSync(pidFile(name), String(child.pid));
    child.once("error", (error) => fs.appendFileSync(path.join(FILES.logs, `${name}.log`), `${error.message}\n`));
    child.once("exit", async (code, signal) => {
      fs.appendFileSync(path.join(FILES.logs, `${name}.log`), `-- ended: ${signal ?? code}\n`);
      fs.rmSync(pidFile(name), { force: true });
      do await sleep(RESTART_AFTER_MS);
      while (fs.existsSync(holdFile(name)));
      run();
    });
  };
  run();
}

/** The pid of a daemon, or undefined while it does not run. */
function pidOf(name) {
  try {
    return Number(fs.readFileSync(pidFile(name), "utf8"));
  } catch {
    return undefined;
  }
}

function endService(name, signal) {
  const pid = pidOf(name);
  if (pid !== undefined) process.kill(pid, signal);
  return pid;
}

/** Ends a daemon and waits until its successor runs; that it answers again is another question. */
async function restartService(name, signal = "SIGTERM") {
  const before = endService(name, signal);
  for (let pid = before; pid === before || pid === undefined; pid = pidOf(name)) await sleep(50);
}

async function holdService(name, signal = "SIGTERM") {
  fs.writeFileSync(holdFile(name), "");
  endService(name, signal);
  while (pidOf(name) !== undefined) await sleep(50);
}

const releaseService = (name) => fs.rmSync(holdFile(name), { force: true });

const readServiceLog = (name) => fs.readFileSync(path.join(FILES.logs, `${name}.log`), "utf8");

/** Waits until something is true; tells the end of a daemon's log where it takes too long. */
async function waitFor(what, { of: name, timeoutMs = 120_000 }, check) {
  for (let waitedMs = 0; ; waitedMs += 200) {
    const good = await Promise.resolve(check()).catch(() => false);
    if (good) return;
    if (waitedMs > timeoutMs) {
      const tail = execFileSync("tail", ["-n", "40", path.join(FILES.logs, `${name}.log`)], { encoding: "utf8" });
      throw new Error(`${what}: not after ${timeoutMs / 1000} s; the end of ${name}'s log:\n${tail}`);
    }
    await sleep(200);
  }
}

module.exports = { keepRunning, pidOf, restartService, holdService, releaseService, readServiceLog, waitFor };
