import type { Digest } from "../api/ids";
import { choosePlatform, type IndexEntry, runnablePlatforms, thisMachine } from "./platform";

function entry(platform: string | undefined, annotations: Record<string, string> = {}): IndexEntry {
  const [os = "", architecture = "", variant = ""] = platform?.split("/") ?? [];
  const named = platform === undefined ? undefined : { os, architecture, variant };
  const digest = `sha256:${platform}` as Digest;
  return { mediaType: "m", digest, size: 1, platform: named, annotations };
}

const v2 = ["cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"];
const v3 = [...v2, "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"];

test.each([
  ["x64", [], undefined, ["linux/arm64", "linux/amd64"], "linux/amd64"],
  ["x64", [], undefined, ["linux/amd64/v2", "linux/amd64/v1"], "linux/amd64/v1"],
  ["x64", v2, undefined, ["linux/amd64/v3", "linux/amd64", "linux/amd64/v2"], "linux/amd64/v2"],
  ["x64", v3, undefined, ["linux/amd64/v4", "linux/amd64/v3"], "linux/amd64/v3"],
  ["x64", v3, undefined, ["windows/amd64", "linux/386"], "linux/386"],
  ["arm64", [], undefined, ["linux/arm/v7", "linux/arm64/v8"], "linux/arm64/v8"],
  ["arm64", [], undefined, ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"],
  ["arm", [], "6", ["linux/arm/v7", "linux/arm/v5", "linux/arm/v6"], "linux/arm/v6"],
  ["arm", [], "7", ["linux/arm/v6", "linux/arm"], "linux/arm"],
  ["riscv64", [], undefined, ["linux/amd64", "linux/riscv64"], "linux/riscv64"],
  ["ppc64", [], undefined, ["linux/ppc64le"], "linux/ppc64le"],
])("choosePlatform() on %s takes the best when there are several", (arch, cpuFlags, armVersion, there, best) => {
  const runnable = runnablePlatforms({ arch, cpuFlags, armVersion });
  expect(
    choosePlatform(
      there.map((platform) => entry(platform)),
      runnable,
    ),
  ).toMatchObject({ digest: `sha256:${best}` });
});

const amd64 = runnablePlatforms({ arch: "x64", cpuFlags: [] });

test("choosePlatform() passes over attestations", () => {
  const disguised = entry("linux/amd64", { "vnd.docker.reference.type": "attestation-manifest" });
  const entries = [entry("unknown/unknown"), disguised, { ...entry("linux/amd64"), size: 2 }];
  expect(choosePlatform(entries, amd64).size).toBe(2);
});

test("choosePlatform() takes the entry that says nothing when it is the only one", () => {
  expect(choosePlatform([entry(undefined), entry("unknown/unknown")], amd64).digest).toBe("sha256:undefined");
  expect(() => choosePlatform([entry(undefined), entry("linux/arm64")], amd64)).toThrow();
});

test("choosePlatform() says what there is when nothing suits", () => {
  expect(() => choosePlatform([entry("linux/arm64/v8"), entry("linux/s390x")], amd64)).toThrow(
    expect.objectContaining({
      code: "NotFound",
      message: "there is no image for linux/amd64, but for linux/arm64/v8, linux/s390x",
    }),
  );
  expect(() => choosePlatform([], amd64)).toThrow("nothing");
});

test("runnablePlatforms() has something for this machine", () => {
  expect(runnablePlatforms(thisMachine())[0]).toMatchObject({ os: "linux" });
});
