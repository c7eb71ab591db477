import { cleanPath } from "./tar-entry";

test.each([
  ["./", ""],
  ["/", ""],
  ["./a//b/./c/", "a/b/c"],
  ["/etc/passwd", "etc/passwd"],
  ["a/.hidden", "a/.hidden"],
  ["..a/b..", "..a/b.."],
])("cleanPath() of %s is %s", (name, path) => {
  expect(cleanPath(name)).toBe(path);
});

test.each(["..", "../x", "/..", "a/../../x", "a/..", "a\0b", "x".repeat(4000)])("cleanPath() refuses %j", (name) => {
  expect(() => cleanPath(name)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
});
