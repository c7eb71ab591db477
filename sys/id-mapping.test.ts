import { describe, expect, test } from "@jest/globals";
import { mapLines, outerId, outerRoot } from "./id-mapping";

const uids = [
  { containerId: 0, hostId: 100000, length: 10 },
  { containerId: 20, hostId: 500, length: 1 },
];

describe("outerId()", () => {
  test.each([
    [0, 100000],
    [9, 100009],
    [10, undefined],
    [20, 500],
    [21, undefined],
  ])("%i is %s outside", (id, outside) => expect(outerId(uids, id)).toBe(outside));
});

describe("outerRoot()", () => {
  test("is root itself where nothing maps it", () => {
    expect(outerRoot(undefined)).toEqual({ uid: 0, gid: 0 });
    expect(outerRoot({ uids, gids: [{ containerId: 0, hostId: 7, length: 1 }] })).toEqual({ uid: 100000, gid: 7 });
  });
});

describe("mapLines()", () => {
  test("writes a line for each mapping", () => expect(mapLines(uids)).toBe("0 100000 10\n20 500 1\n"));
});
