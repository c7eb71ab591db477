import { parseQuantity } from "./quantity";

test.each([
  ["10", 10],
  ["1.1k", 1100],
  ["10M", 1e7],
  ["1.5Gi", 1610612736],
  ["100m", 1],
  ["1e3", 1000],
  ["2E", 2e18],
  [".5k", 500],
])("parseQuantity() reads %s", (text, value) => {
  expect(parseQuantity(text)).toBe(value);
});

test.each(["", "M", "1 M", "10MB", "1e", "0x10", "Infinity"])("parseQuantity() refuses %j", (text) => {
  expect(() => parseQuantity(text)).toThrow("is not a Kubernetes quantity");
});
