import { PrefixMap } from "./prefix-map";

test("values are found by any beginning of their key, and no longer when they are deleted", () => {
  const map = new PrefixMap<string, number>(4);
  for (const [value, key] of ["abcd11", "abcd12", "abce11", "ffff00"].entries()) map.set(key, value);
  const found = (...beginnings: string[]) => beginnings.map((beginning) => map.startingWith(beginning));
  expect(found("abcd", "abcd1", "abcd12", "abcd12x", "ffff")).toEqual([[0, 1], [0, 1], [1], [], [3]]);
  expect(found("abc", "f", "")).toEqual([[0, 1, 2], [3], [0, 1, 2, 3]]);
  map.delete("abcd11");
  map.delete("never there");
  map.set("ffff00", 9);
  expect(found("abcd", "abcd11", "ab", "ffff")).toEqual([[1], [], [1, 2], [9]]);
  expect([...map.keys()]).toEqual(["abcd12", "abce11", "ffff00"]);
});
