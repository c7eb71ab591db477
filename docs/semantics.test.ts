import { expect, test } from "@jest/globals";
import { missingTests, rowsOf } from "./named-tests.fixture";

const rows = rowsOf("semantics.md");

test("the points are numbered, and each names its tests", () => {
  const numbers = rows.filter((row) => row.length === 3).map(([number]) => Number(number));
  expect(numbers).toEqual(Array.from({ length: 47 }, (_, index) => index + 1));
  expect(rows.filter((row) => !/^`[^`]+\.test\.ts`/.test(row.at(-1)!))).toEqual([]);
});

test("every test that is named exists", () => {
  expect(rows.flatMap(missingTests)).toEqual([]);
});
