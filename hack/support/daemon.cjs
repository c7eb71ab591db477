// A Berth of one's own: everything it writes lies in one directory, with a bridge and a subnet that nobody else has.
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const { setTimeout: sleep } = require("node:timers/promises");
const { takeAway } = require("./machine.cjs");
const { stopChild } = require("./registry.cjs");
const { uniqueId, uniqueSubnet } = require("./unique.cjs");

const PROJECT = path.join(__dirname, "../..");
/** The kernel's limit of a unix socket's path, less the final zero. */
const SOCKET_PATH_MAX = 107;

const toml = (value) => JSON.stringify(value); // strings, numbers, booleans and lists of them are the same in both

function tomlDocument(values, prefix = "") {
  const isTable = (value) => typeof value === "object" && !Array.isArray(value);
  const entries = Object.entries(values);
  const plain = entries.filter(([, value]) => !isTable(value)).map(([key, value]) => `${key} = ${toml(value)}\n`);
  const nested = entries
    .filter(([, value]) => isTable(value))
    .map(([key, value]) => `\n[${prefix}${key}]\n${tomlDocument(value, `${prefix}${key}.`)}`);
  return [...plain, ...nested].join("");
}

function networkList({ network, bridge, subnet, directory }, prefixLength) {
  return {
    cniVersion: "1.0.0",
    name: network,
    plugins: [
      {
        type: "bridge",
        bridge,
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: path.join(directory, "ipam"),
          ranges: [[{ subnet: `${subnet}.0/${prefixLength}` }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function layOut(directory, { registry, options = {}, prefixLength = 24, faults = false } = {}) {
  const id = uniqueId();
  const at = (name) => path.join(directory, name);
  const daemon = {
    directory,
    bridge: `berth${id}`,
    network: `berth-${id}`,
    subnet: uniqueSubnet(prefixLength),
    root: at("root"),
    state: at("state"),
    socket: at("berth.sock"),
    endpoint: `unix://${at("berth.sock")}`,
    configFile: at("config.toml"),
    confDir: at("net.d"),
    certsDir: at("certs.d"),
    ipamDir: at("ipam"),
    log: at("berth.log"),
    cniCacheDir: at("cni-cache"),
    child: undefined,
  };
  if (daemon.socket.length > SOCKET_PATH_MAX)
    throw new Error(`${daemon.socket}: too long for a unix socket; use a directory with a shorter path`);
  for (const one of [daemon.confDir, path.join(daemon.certsDir, "_default")]) fs.mkdirSync(one, { recursive: true });
  const list = JSON.stringify(networkList(daemon, prefixLength), null, 2);
  fs.writeFileSync(path.join(daemon.confDir, "10-bridge.conflist"), `${list}\n`);
  if (registry) {
    const hosts = { server: registry, host: { [`"${registry}"`]: { capabilities: ["pull", "resolve"] } } };
    fs.writeFileSync(path.join(daemon.certsDir, "_default", "hosts.toml"), tomlDocument(hosts));
  }
  const { cni, images, ...others } = options;
  const config = {
    root: daemon.root,
    state: daemon.state,
    socket: daemon.socket,
    cni: { conf_dir: daemon.confDir, cache_dir: daemon.cniCacheDir, ...cni },
    images: { certs_dirs: [daemon.certsDir], ...images },
    ...others,
  };
  fs.writeFileSync(daemon.configFile, tomlDocument(config));
  if (faults) {
    daemon.faultsFile = at("faults");
    daemon.program = path.join(PROJECT, "build/faulty/bin/berth");
    daemon.env = { ...environment(), BERTH_FAULTS: daemon.faultsFile };
  }
  return daemon;
}

function listens(socket) {
  return new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.once("connect", () => resolve(true)).once("error", () => resolve(false));
    connection.once("connect", () => connection.destroy());
  });
}

/** Berth's own commands run on the Node.js that the project installs, wherever they are called from. */
const environment = () => ({
  ...process.env,
  PATH: `${path.join(PROJECT, "node_modules/.bin")}:${process.env.PATH}`,
});

async function start(daemon, timeoutMs = 20_000) {
  const log = fs.openSync(daemon.log, "a");
  const { program = path.join(PROJECT, "bin/berth"), env = environment() } = daemon;
  const child = spawn(program, ["serve", "--config", daemon.configFile], {
    stdio: ["ignore", log, log],
    env,
    detached: true, // so that a Ctrl-C ends us first, and we it
  });
  fs.closeSync(log);
  daemon.child = child;
  let problem = "";
  child.on("error", (error) => {
    problem = error.message;
  });
  const began = Date.now();
  while (!(await listens(daemon.socket))) {
    const late = Date.now() - began > timeoutMs;
    if (problem || late || child.exitCode !== null || child.signalCode !== null) {
      await stop(daemon);
      const why = problem || (late ? `nothing listens after ${timeoutMs} ms` : "it ended");
      throw new Error(`berth does not start: ${why}\n${fs.readFileSync(daemon.log, "utf8")}`);
    }
    await sleep(20);
  }
}

async function stop(daemon, graceMs = 10_000) {
  if (daemon.child?.pid !== undefined) await stopChild(daemon.child, graceMs);
  daemon.child = undefined;
}

async function remove(daemon) {
  await stop(daemon);
  await takeAway(daemon);
}

module.exports = { tomlDocument, layOut, environment, start, stop, remove };
