import { MultiMap } from "./multi-map";

test("get() gives the values of a key as they came, each once; has() is true while there is one", () => {
  const map = new MultiMap<string, number>();
  for (const value of [2, 1, 2]) map.add("a", value);
  expect([map.get("a"), map.get("b")]).toEqual([[2, 1], []]);
  map.remove("a", 2);
  map.remove("b", 1);
  expect([map.get("a"), map.has("a")]).toEqual([[1], true]);
  map.remove("a", 1);
  expect([map.get("a"), map.has("a")]).toEqual([[], false]);
});
