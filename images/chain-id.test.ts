import { createHash } from "node:crypto";
import type { Digest } from "../api/ids";
import { chainIdsOf } from "./chain-id";

const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}` as Digest;

test("chainIdsOf() follows the specification when there are three layers", () => {
  const [a, b, c] = ["a", "b", "c"].map(digestOf) as [Digest, Digest, Digest];
  const ab = digestOf(`${a} ${b}`);
  expect(chainIdsOf([a, b, c])).toEqual([a, ab, digestOf(`${ab} ${c}`)]);
  expect(chainIdsOf([])).toEqual([]);
});
