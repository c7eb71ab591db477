import fs from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import ts from "typescript";

const project = path.join(__dirname, "..");
const rows = fs
  .readFileSync(path.join(__dirname, "semantics.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.includes("| Held by |"))
  .map((line) => line.slice(2, -2).split(" | "));
const separator = " › ";

/** The names of a file's tests, each behind those of the describe() that it is in. */
function testsIn(file: string): string[] {
  const names: string[] = [];
  const source = ts.createSourceFile(file, fs.readFileSync(file, "utf8"), ts.ScriptTarget.Latest);
  const visit = (node: ts.Node, within: string[]): void => {
    const called = ts.isCallExpression(node) ? nameOfCall(node) : undefined;
    if (called?.kind === "test") names.push([...within, called.name].join(separator));
    const inside = called?.kind === "describe" ? [...within, called.name] : within;
    ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(source, []);
  return names;
}

/** What test("name", …), describe.each(…)("name", …) and their like call themselves. */
function nameOfCall({ expression, arguments: [first] }: ts.CallExpression): { kind: string; name: string } | undefined {
  if (!first || !ts.isStringLiteralLike(first)) return undefined;
  let root: ts.Expression = expression;
  while (ts.isCallExpression(root) || ts.isPropertyAccessExpression(root)) root = root.expression;
  return ts.isIdentifier(root) ? { kind: root.text, name: first.text } : undefined;
}

test("the points are numbered, and each names its tests", () => {
  const numbers = rows.filter((row) => row.length === 3).map(([number]) => Number(number));
  expect(numbers).toEqual(Array.from({ length: 47 }, (_, index) => index + 1));
  expect(rows.filter((row) => !/^`[^`]+\.test\.ts`/.test(row.at(-1)!))).toEqual([]);
});

test("every test that is named exists", () => {
  const missing = rows
    .flatMap((row) => row.at(-1)!.split("<br>"))
    .filter((named) => {
      const [, file = "", name] = /^`(.*?)`(?:: (.*))?$/.exec(named) ?? [];
      const found = path.join(project, file.includes("/") ? file : `test/integration/${file}`);
      if (!fs.existsSync(found)) return true;
      return (
        name !== undefined && !testsIn(found).some((test) => `${separator}${test}`.endsWith(`${separator}${name}`))
      );
    });
  expect(missing).toEqual([]);
});
