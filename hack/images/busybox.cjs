// The file system of a busybox image, from one static binary.
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`;
const GROUP = `root:x:0:
daemon:x:1:
bin:x:2:
www-data:x:33:
users:x:100:
nogroup:x:65534:
`;
const DIRECTORIES = [
  "bin",
  "dev",
  "etc",
  "home",
  "proc",
  "root",
  "sys",
  "usr",
  "usr/bin",
  "usr/sbin",
  "var",
  "var/www",
];

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SHELL = { Env: [PATH], Cmd: ["sh"] };

function busyboxEntries(binary) {
  const applets = execFileSync(binary, ["--list"], { encoding: "utf8" }).split("\n").filter(Boolean);
  return [
    ...DIRECTORIES.map((path) => ({ path, type: "dir" })),
    { path: "tmp", type: "dir", mode: 0o1777 },
    { path: "sbin", target: "bin" },
    { path: "bin/busybox", mode: 0o755, body: fs.readFileSync(binary) },
    ...applets
      .filter((applet) => applet !== "busybox")
      .map((applet) => ({ path: `bin/${applet}`, type: "hardlink", mode: 0o755, target: "bin/busybox" })),
    { path: "usr/bin/env", target: "../../bin/env" },
    { path: "etc/passwd", body: PASSWD },
    { path: "etc/group", body: GROUP },
  ];
}

module.exports = { PATH, SHELL, busyboxEntries };
