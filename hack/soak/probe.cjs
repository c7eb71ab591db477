// Preloaded into a daemon (NODE_OPTIONS=--require): answers on a unix socket what only the process itself can tell, after
// it has collected its garbage and given free memory back, as it does itself when a burst of sessions is over. "snapshot
// FILE" writes a heap snapshot on top, to look for a leak by hand. No part of a release.
const net = require("node:net");
const v8 = require("node:v8");
const vm = require("node:vm");
const { isMainThread } = require("node:worker_threads");

function trim() {
  v8.setFlagsFromString("--expose-gc");
  vm.runInNewContext("gc")();
  require("koffi").load("libc.so.6").func("int malloc_trim(size_t keep)")(0);
}

function activeResources() {
  const counts = {};
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function answer(request) {
  trim();
  const [verb, file] = request.trim().split(" ");
  if (verb === "snapshot") v8.writeHeapSnapshot(file);
  const { heapUsed, external } = process.memoryUsage();
  return JSON.stringify({ heapUsedBytes: heapUsed, externalBytes: external, activeResources: activeResources() });
}

if (isMainThread && process.env.BERTH_PROBE) {
  const socket = process.env.BERTH_PROBE;
  delete process.env.BERTH_PROBE;
  delete process.env.NODE_OPTIONS; // what the daemon starts is not probed
  net
    .createServer((connection) => {
      connection.on("error", () => {});
      connection.once("data", (request) => connection.end(answer(request.toString())));
    })
    .listen(socket)
    .unref();
}
