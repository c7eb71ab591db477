import { parseChallenges } from "./auth-challenge";

const parse = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test("parseChallenges() reads quoted, bare and escaped values", () => {
  expect(parse('Bearer realm="https://a/token",Service=b.c , scope="repository:x/y:pull,push"')).toEqual([
    ["bearer", { realm: "https://a/token", service: "b.c", scope: "repository:x/y:pull,push" }],
  ]);
  expect(parse('Basic realm="a \\"b\\" c"')).toEqual([["basic", { realm: 'a "b" c' }]]);
});

test("parseChallenges() keeps several apart when they share a header", () => {
  expect(parse('Negotiate, Basic realm="x", Bearer realm="y",service="z"')).toEqual([
    ["negotiate", {}],
    ["basic", { realm: "x" }],
    ["bearer", { realm: "y", service: "z" }],
  ]);
});

test("parseChallenges() ends in short time when the header is rubbish", () => {
  expect(parse("")).toEqual([]);
  expect(parse('realm="x"')).toEqual([]);
  expect(parse('Bearer realm="unclosed')).toEqual([["bearer", { realm: "" }]]);
  const since = performance.now();
  for (const part of ["a ", '"', "=", ",", 'a="\\', " "]) parseChallenges(part.repeat(100_000));
  expect(performance.now() - since).toBeLessThan(500);
});
