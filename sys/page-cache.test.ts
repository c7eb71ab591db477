import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { dropFromPageCache } from "./page-cache";

test("what was written and synced is no longer in memory, and still in the file", () => {
  // a tmpfs has nothing but the page cache
  const directory = fs.mkdtempSync(path.join(__dirname, "../build/page-cache-"));
  const file = path.join(directory, "file");
  try {
    fs.writeFileSync(file, Buffer.alloc(1 << 20, "x"));
    const fd = fs.openSync(file, "r+");
    try {
      fs.fsyncSync(fd);
      expect(residentBytes(file)).toBe(1 << 20);
      dropFromPageCache(fd);
    } finally {
      fs.closeSync(fd);
    }
    expect(residentBytes(file)).toBe(0);
    expect(fs.readFileSync(file).equals(Buffer.alloc(1 << 20, "x"))).toBe(true);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});

/** fincore(1) of util-linux. */
const residentBytes = (file: string) =>
  Number(execFileSync("fincore", ["--bytes", "--noheadings", "--output", "RES", file], { encoding: "utf8" }));
