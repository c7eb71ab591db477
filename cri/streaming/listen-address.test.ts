import { expect, test } from "@jest/globals";
import { parseListenAddress, reachableHost } from "./listen-address";

test.each([
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["[::1]:10010", { host: "::1", port: 10010 }],
  ["localhost:80", { host: "localhost", port: 80 }],
])("%s", (text, address) => {
  expect(parseListenAddress(text)).toEqual(address);
});

test.each(["", "127.0.0.1", ":80", "::1:80", "a:70000", "a:b", "http://a:80"])("%s is refused", (text) => {
  expect(() => parseListenAddress(text)).toThrow(/no address with a port/);
});

test("a URL never names all addresses", () => {
  expect(reachableHost("127.0.0.1")).toBe("127.0.0.1");
  expect(reachableHost("::1")).toBe("[::1]");
  expect(reachableHost("0.0.0.0")).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
  expect(reachableHost("0.0.0.0")).not.toBe("0.0.0.0");
});
