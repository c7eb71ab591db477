import { expect, test } from "@jest/globals";
import { missingTests, rowsOf } from "./named-tests.fixture";

const rows = rowsOf("faults.md").filter(([first = ""]) => /^\d+$/.test(first));
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test("faults and hostile inputs are numbered, and each names its tests", () => {
  expect(rows.map(([number]) => Number(number))).toEqual([...upTo(41), ...upTo(47)]);
  expect(rows.filter((row) => !/^`[^`]+\.test\.ts`/.test(row.at(-1)!))).toEqual([]);
});

test("every test that is named exists", () => {
  expect(rows.flatMap(missingTests)).toEqual([]);
});
