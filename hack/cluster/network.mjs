// The node's network: a namespace with one link and an address that is nobody's (RFC 5737).
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { NODE } from "./node.cjs";

const ip = (...args) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });

export function connectNode() {
  execFileSync("hostname", [NODE.name]);
  ip("link", "set", "lo", "up");
  // Not every kernel has dummy links; a veth whose other end nobody uses is one.
  ip("link", "add", "eth0", "type", "veth", "peer", "name", "uplink");
  ip("address", "add", `${NODE.address}/24`, "dev", "eth0");
  ip("link", "set", "uplink", "up");
  ip("link", "set", "eth0", "up");
  // The kubelet looks for the default route's address. Nobody answers there.
  ip("route", "add", "default", "via", NODE.gateway);
  fs.writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  fs.writeFileSync("/etc/hosts", `127.0.0.1 localhost\n::1 localhost\n${NODE.address} ${NODE.name}\n`);
  fs.rmSync("/etc/resolv.conf", { force: true });
  fs.writeFileSync("/etc/resolv.conf", `nameserver ${NODE.gateway}\noptions timeout:1 attempts:1\n`);
}
