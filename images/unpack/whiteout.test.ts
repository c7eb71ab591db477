import type { TarEntry } from "./tar-entry";
import { whiteoutOf } from "./whiteout";

const entry = (path: string, rest: Partial<TarEntry> = {}) =>
  ({ type: "file", path, deviceMajor: 0, deviceMinor: 0, ...rest }) as TarEntry;

test.each([
  ["a/b", { kind: "none" }],
  ["a/.wh.b", { kind: "remove", path: "a/b" }],
  [".wh.b", { kind: "remove", path: "b" }],
  ["a/.wh..wh..opq", { kind: "opaque", path: "a" }],
  [".wh..wh.plnk/1", { kind: "ignored" }],
  ["a/.wh..wh.aufs", { kind: "ignored" }],
  ["a/.wh.b/c", { kind: "none" }],
])("whiteoutOf() understands %s", (path, expected) => {
  expect(whiteoutOf(entry(path))).toEqual(expected);
});

test("whiteoutOf() takes a device 0/0 for what it means to overlayfs", () => {
  expect(whiteoutOf(entry("a", { type: "character" }))).toEqual({ kind: "remove", path: "a" });
  expect(whiteoutOf(entry("a", { type: "character", deviceMinor: 3 }))).toEqual({ kind: "none" });
});

test("whiteoutOf() refuses a device 0/0 that is the root", () => {
  expect(() => whiteoutOf(entry("", { type: "character" }))).toThrow("its own root");
});

test.each(["a/.wh.", ".wh..", "a/.wh..."])("whiteoutOf() refuses %s", (path) => {
  expect(() => whiteoutOf(entry(path))).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
});
