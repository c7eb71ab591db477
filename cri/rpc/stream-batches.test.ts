import { expect, test } from "@jest/globals";
import { codec, type Init, type Container } from "../../api/messages";
import { inBatches } from "./stream-batches";

const containers = (count: number, annotationBytes = 0): Init<Container>[] =>
  Array.from({ length: count }, (_, index) => ({ id: `${index}`, annotations: { a: "x".repeat(annotationBytes) } }));

const sizes = (items: Init<Container>[]) => [...inBatches(items, codec("Container"))].map((batch) => batch.length);

test("nothing makes no batch, and what fits makes one", () => {
  expect(sizes([])).toEqual([]);
  expect(sizes(containers(3))).toEqual([3]);
});

test("batches are cut by number and by size, with each item once and in order", () => {
  expect(sizes(containers(2500))).toEqual([1000, 1000, 500]);
  expect(sizes(containers(10, 1 << 20))).toEqual([3, 3, 3, 1]);
  const items = containers(10, 1 << 20);
  expect([...inBatches(items, codec("Container"))].flat().map(({ id }) => id)).toEqual(items.map(({ id }) => id));
});

test("an item that is larger than a batch goes alone", () => {
  expect(sizes([...containers(1), ...containers(1, 5 << 20), ...containers(1)])).toEqual([1, 1, 1]);
});
