import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { check, declare, withFd } from "./libc";
import { connectSeqpacket } from "./seqpacket";
import { openTerminal } from "./terminal";

const socket = declare("int socket(int domain, int type, int protocol)");
const bind = declare("int bind(int fd, void *address, unsigned int length)");
const listen = declare("int listen(int fd, int backlog)");
const accept = declare("int accept(int fd, void *address, void *length)");
const send = declare("long send(int fd, void *bytes, size_t length, int flags)");
const recv = declare("long recv(int fd, void *bytes, size_t length, int flags)");

function listenSeqpacket(directory: string, name: string): number {
  return withFd(fs.openSync(directory, "r"), (at) => {
    const fd = check(socket(1, 5 | 0x80000, 0), "socket");
    const address = Buffer.alloc(110);
    address.writeUInt16LE(1, 0);
    address.write(`/proc/self/fd/${at}/${name}`, 2);
    check(bind(fd, address, address.length), "bind");
    check(listen(fd, 1), "listen");
    return fd;
  });
}

const openFds = () => fs.readdirSync("/proc/self/fd").length;

describe("a terminal", () => {
  test("carries bytes as they are, both ways, and never blocks", async () => {
    const { child, stream, resize } = openTerminal();
    stream.on("error", () => {});
    const got: Buffer[] = [];
    stream.on("data", (chunk) => got.push(chunk));
    fs.writeSync(child, "line\n\x03");
    stream.write("back\n\x04");
    const read = Buffer.alloc(10);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(read.toString("latin1", 0, fs.readSync(child, read))).toBe("back\n\x04");
    expect(Buffer.concat(got).toString("latin1")).toBe("line\n\x03");
    resize({ rows: 33, columns: 99 });
    // far more than a terminal holds
    stream.write(Buffer.alloc(1 << 20));
    fs.closeSync(child);
    await new Promise((resolve) => stream.once("close", resolve));
    resize({ rows: 1, columns: 1 });
  });
});

describe("a packet socket", () => {
  let directory: string;
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), `berth-${"long".repeat(30)}-`));
  });
  afterEach(() => fs.rmSync(directory, { recursive: true }));

  test("keeps packets apart, under a path longer than an address can hold", async () => {
    const before = openFds();
    const listener = listenSeqpacket(directory, "attach");
    const client = connectSeqpacket(path.join(directory, "attach"));
    const peer = check(accept(listener, null, null), "accept");
    for (const packet of ["one", "two"]) check(send(peer, Buffer.from(packet), packet.length, 0), "send");
    const packets: string[] = [];
    client.on("data", (packet: Buffer) => packets.push(packet.toString()));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await new Promise((resolve) => client.write("mine", resolve));
    const got = Buffer.alloc(100);
    expect(got.toString("latin1", 0, check(recv(peer, got, got.length, 0), "recv"))).toBe("mine");
    fs.closeSync(peer);
    fs.closeSync(listener);
    await new Promise((resolve) => client.once("end", resolve));
    expect(packets).toEqual(["one", "two"]);
    const closed = new Promise((resolve) => client.once("close", resolve));
    client.destroy();
    await closed;
    expect(openFds()).toBeLessThanOrEqual(before);
  });

  test("that is not there is an error and leaves nothing open", () => {
    const before = openFds();
    expect(() => connectSeqpacket(path.join(directory, "attach"))).toThrow(/ENOENT/);
    expect(openFds()).toBe(before);
  });
});
