import { describe, expect, test } from "@jest/globals";
import { requestedDevices, splitName } from "./device-name";

describe("requestedDevices()", () => {
  test("takes names from both places, each once, and no other annotation", () => {
    const annotations = { "cdi.k8s.io/b": "v.com/c=2,v.com/c=3", "cdi.k8s.io/a": "v.com/c=1", other: "no name" };
    const names = requestedDevices(["v.com/c=3", "v.com/c=3"], annotations);
    expect(names).toEqual(["v.com/c=3", "v.com/c=1", "v.com/c=2"]);
  });

  test("refuses an annotation that holds no names", () => {
    expect(() => requestedDevices([], { "cdi.k8s.io/a": "v.com/c=1," })).toThrow(/not of the form/);
    expect(() => requestedDevices([], { "cdi.k8s.io/a": "/dev/null" })).toThrow(/not of the form/);
  });
});

describe("splitName()", () => {
  test("splits at the first =", () => {
    expect(splitName("nvidia.com/gpu=0:1")).toEqual({ kind: "nvidia.com/gpu", device: "0:1" });
  });

  test.each([
    "",
    "gpu",
    "vendor.com/gpu",
    "vendor.com/gpu=",
    "=0",
    "/gpu=0",
    "1v/gpu=0",
    "v/gpu-=0",
    "v/g/h=0",
    "v/g=-0",
    "v/g=../x",
    "v/g=a\n",
    `v/g=${"a".repeat(2000)}`,
  ])("refuses %j", (name) => {
    expect(() => splitName(name)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });
});
