import { describe, expect, test } from "@jest/globals";
import { environment } from "./environment";

const pair = (key: string, value: string | Buffer) => ({ key, value: Buffer.from(value as string) });
const of = (image: string[], config: ReturnType<typeof pair>[] = [], tty = false) =>
  environment({ image, config, hostname: "web-0", tty });

describe("environment()", () => {
  test("adds PATH and HOSTNAME, and TERM for a terminal", () => {
    expect(of([])).toEqual([expect.stringMatching(/^PATH=.*:\/bin$/), "HOSTNAME=web-0"]);
    expect(of([], [], true)).toContain("TERM=xterm");
  });

  test("puts CRI's over the image's and over its own", () => {
    const all = of(["A=1", "PATH=/p", "B=x=y"], [pair("A", "2"), pair("HOSTNAME", "h"), pair("A", "3")]);
    expect(all).toEqual(["PATH=/p", "HOSTNAME=h", "A=3", "B=x=y"]);
  });

  test("keeps newlines in the values of a request", () => {
    expect(of([], [pair("CERT", "a\nb")])).toContain("CERT=a\nb");
  });

  test.each([
    ["an image's entry without =", ["NOVALUE"], []],
    ["an image's entry with a newline", ["A=b\nc"], []],
    ["an entry without a name", ["=x"], []],
    ["a home directory with a newline", [], [pair("HOME", "/x\nroot::0:0::/:/bin/sh")]],
    ["a name with =", [], [pair("A=B", "c")]],
    ["a NUL", [], [pair("A", "b\0c")]],
    ["what is not UTF-8", [], [{ key: "A", value: Buffer.from([0xff, 0xfe]) }]],
  ])("refuses %s", (_, image, config) => {
    expect(() => of(image, config)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });
});
