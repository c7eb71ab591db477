import { PassThrough } from "node:stream";
import { expect, test } from "@jest/globals";
import { readTerminalSizes } from "./terminal-sizes";

function sizesOf(...chunks: string[]): string[] {
  const stream = new PassThrough();
  const sizes: string[] = [];
  readTerminalSizes(stream, ({ rows, columns }) => sizes.push(`${columns}x${rows}`));
  for (const chunk of chunks) stream.emit("data", Buffer.from(chunk));
  return sizes;
}

test("sizes come whole, cut and several at once", () => {
  expect(sizesOf('{"Width":80,"Height":24}\n', '{"Width":1', '00,"Height":30}')).toEqual(["80x24", "100x30"]);
  expect(sizesOf('{"Width":1,"Height":2}{"Width":3,"Height":4}')).toEqual(["1x2", "3x4"]);
});

test("what is no size is passed over, and does not pile up", () => {
  expect(
    sizesOf("}", "{}", '{"Width":-1,"Height":2}', '{"Width":70000,"Height":2}', '{"Width":"8","Height":2}'),
  ).toEqual([]);
  expect(sizesOf("x".repeat(5000), '{"Width":80,"Height":24}')).toEqual(["80x24"]);
});
