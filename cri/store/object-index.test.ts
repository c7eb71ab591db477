import { ObjectIndex } from "./object-index";

const index = new ObjectIndex<{ id: string }>("container");
index.set({ id: "abc1" });
index.set({ id: "abd2" });

test("find() takes a beginning of the ID that only one object has", () => {
  expect(index.find("abc")?.id).toBe("abc1");
  expect(index.find("x")).toBeUndefined();
});

test("find() refuses an ambiguous or empty beginning", () => {
  expect(() => index.find("ab")).toThrow("several containers");
  expect(() => index.find("")).toThrow("empty");
});

test("exactly() takes no beginning of an ID", () => {
  expect(index.exactly("abc1")?.id).toBe("abc1");
  expect(index.exactly("abc")).toBeUndefined();
});

test("inGroup() has what is there of a group, in the order of creation", () => {
  const grouped = new ObjectIndex<{ id: string; pod: string }>("container", ({ pod }) => pod);
  for (const [id, pod] of [
    ["b", "p"],
    ["x", "q"],
    ["a", "p"],
  ] as const)
    grouped.set({ id, pod });
  expect(grouped.inGroup("p").map(({ id }) => id)).toEqual(["b", "a"]);
  grouped.delete("b");
  grouped.delete("x");
  expect(grouped.inGroup("p").map(({ id }) => id)).toEqual(["a"]);
  expect(grouped.inGroup("q")).toEqual([]);
});

test("get() throws NotFound with the kind and no more than 100 characters of the ID", () => {
  expect(() => index.get("x".repeat(300))).toThrow(`container "${"x".repeat(100)}" not found`);
});
