import { asImageId, formatReference, parseReference, withoutUserInfo } from "./reference";

const digest = `sha256:${"a1".repeat(32)}`;

test.each([
  ["busybox", "docker.io/library/busybox:latest"],
  ["busybox:1.36", "docker.io/library/busybox:1.36"],
  ["user/app", "docker.io/user/app:latest"],
  ["docker.io/busybox", "docker.io/library/busybox:latest"],
  ["index.docker.io/busybox", "docker.io/library/busybox:latest"],
  ["index.docker.io/library/a/b", "docker.io/library/a/b:latest"],
  ["registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"],
  ["localhost/x", "localhost/x:latest"],
  ["localhost:5000/x/y", "localhost:5000/x/y:latest"],
  ["127.0.0.1:5000/x:v1", "127.0.0.1:5000/x:v1"],
  ["[::1]:5000/x:v1", "[::1]:5000/x:v1"],
  ["Registry/x", "Registry/x:latest"],
  ["x.io/a__b/c--d/e.f_g", "x.io/a__b/c--d/e.f_g:latest"],
  [`busybox@${digest}`, `docker.io/library/busybox@${digest}`],
  [`busybox:1@${digest}`, `docker.io/library/busybox@${digest}`],
  [`h.io:1/x:y@${digest}`, `h.io:1/x@${digest}`],
])("parseReference() normalises %s when it is well-formed", (text, normal) => {
  const reference = parseReference(text);
  expect(formatReference(reference)).toBe(normal);
  expect(formatReference(parseReference(normal))).toBe(normal);
});

test("parseReference() keeps tag and digest apart when both are given", () => {
  expect(parseReference(`h.io/x:y@${digest}`)).toEqual({ host: "h.io", repository: "x", tag: "y", digest });
  expect(parseReference(`h.io/x@${digest}`)).toEqual({ host: "h.io", repository: "x", digest });
});

test.each([
  "",
  ":tag",
  "x:",
  "x/",
  "/x",
  "x//y",
  "Busybox",
  "h.io/Upper",
  "x:-tag",
  `x:${"t".repeat(129)}`,
  "a".repeat(256),
  `h.io/${"a/".repeat(127)}aaa`,
  "x@sha256:abc",
  `x@sha512:${"a".repeat(128)}`,
  `x@${digest.toUpperCase()}`,
  `x@${digest}@${digest}`,
  "a".repeat(64),
  "h.io:port/x",
  "h.io:65536/x",
  "[f]:0/x",
  "0x7f.1/x",
  "1.2.3:5000/x",
  "-h.io/x",
  "https://h.io/x",
  "h.io/../x",
  "h.io/x y",
  "h.io/x\n",
  "h.io/a___b",
  "user:pass@h.io/x",
  "x".repeat(100_000),
])("parseReference() throws InvalidArgument when the text is %p", (text) => {
  expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
});

test("asImageId() gives the hex digits when the text can be an ID", () => {
  expect(asImageId("a".repeat(64))).toBe("a".repeat(64));
  expect(asImageId(digest)).toBe("a1".repeat(32));
  expect(asImageId("8c811b4aec35f")).toBe("8c811b4aec35f");
  expect(asImageId("busybox")).toBeUndefined();
  expect(asImageId("a".repeat(65))).toBeUndefined();
  expect(asImageId("abc")).toBeUndefined();
});

test.each([
  ["http://me:secret@host/x", "http://host/x"],
  ["me:sec/ret@host:5000/x:1", "host:5000/x:1"],
  ["me:secret@host/x@sha256:abc", "host/x@sha256:abc"],
  ["host:5000/x:1@sha256:abc", "host:5000/x:1@sha256:abc"],
])("withoutUserInfo() leaves no password in %s, and errors show none", (text, expected) => {
  expect(withoutUserInfo(text)).toBe(expected);
  expect(() => parseReference(text)).toThrow(JSON.stringify(expected));
});
