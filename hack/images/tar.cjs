// A small tar writer for test images: what the sources say and nothing of the machine, so that archives are
// reproducible. ustar, with pax records where a value does not fit (POSIX.1-2017 pax, "pax Interchange Format").

const BLOCK = 512;
const TYPES = { file: "0", hardlink: "1", symlink: "2", char: "3", block: "4", dir: "5", fifo: "6" };
const MODES = { dir: 0o755, symlink: 0o777 };
// Any fixed time will do.
const MTIME = 1_700_000_000;

function header({ name, mode, uid, gid, size, mtime, type, target, major, minor }) {
  const block = Buffer.alloc(BLOCK);
  const octal = (value, at, length) => block.write(value.toString(8).padStart(length - 1, "0"), at);
  block.write(name.subarray(0, 100).toString("latin1"), 0, "latin1");
  octal(mode, 100, 8);
  octal(uid, 108, 8);
  octal(gid, 116, 8);
  octal(size, 124, 12);
  octal(mtime, 136, 12);
  block.write(" ".repeat(8), 148);
  block.write(type, 156);
  block.write(target.subarray(0, 100).toString("latin1"), 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  octal(major, 329, 8);
  octal(minor, 337, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** One pax record: its length in decimal counts itself. */
function record(key, value) {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

const padded = (body) => [body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)];

function member(entry) {
  const type = entry.type ?? (entry.target === undefined ? "file" : "symlink");
  if (!(type in TYPES)) throw new Error(`tar: ${entry.path}: no such type: ${type}`);
  const { mode = MODES[type] ?? 0o644, uid = 0, gid = 0, mtime = MTIME, major = 0, minor = 0 } = entry;
  const body = type === "file" ? Buffer.from(entry.body ?? "") : Buffer.alloc(0);
  const name = Buffer.from(type === "dir" ? `${entry.path.replace(/\/+$/, "")}/` : entry.path);
  const target = Buffer.from(entry.target ?? "");
  const seconds = Math.floor(mtime);

  const records = Object.entries(entry.xattrs ?? {}).map(([key, value]) => record(`SCHILY.xattr.${key}`, value));
  if (name.length > 100) records.push(record("path", name));
  if (target.length > 100) records.push(record("linkpath", target));
  if (mtime !== seconds || mtime < 0 || mtime >= 8 ** 11) records.push(record("mtime", String(mtime)));
  for (const [key, id] of Object.entries({ uid, gid })) if (id >= 8 ** 7) records.push(record(key, String(id)));
  if (body.length >= 8 ** 11) records.push(record("size", String(body.length)));

  const fields = {
    mode,
    uid: uid % 8 ** 7,
    gid: gid % 8 ** 7,
    mtime: Math.min(Math.max(seconds, 0), 8 ** 11 - 1),
    major,
    minor,
  };
  const parts = [];
  if (records.length > 0) {
    const pax = Buffer.concat(records);
    const paxFields = { ...fields, mode: 0o644, size: pax.length, type: "x", major: 0, minor: 0 };
    parts.push(
      header({ ...paxFields, name: Buffer.from("PaxHeaders/entry"), target: Buffer.alloc(0) }),
      ...padded(pax),
    );
  }
  parts.push(header({ ...fields, name, target, size: body.length % 8 ** 11, type: TYPES[type] }), ...padded(body));
  return parts;
}

/** A tar archive of the entries in their order. */
function tar(entries) {
  return Buffer.concat([...[...entries].flatMap(member), Buffer.alloc(2 * BLOCK)]);
}

module.exports = { tar };
