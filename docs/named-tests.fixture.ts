import fs from "node:fs";
import path from "node:path";
import ts from "typescript";

const project = path.join(__dirname, "..");
const separator = " › ";

/** The rows of a document's tables, headings left out, each cut into its cells. */
export function rowsOf(document: string): string[][] {
  return fs
    .readFileSync(path.join(__dirname, document), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.includes("| Held by |"))
    .map((line) => line.slice(2, -2).split(" | "));
}

/**
 * What a row's last cell names that there is not: a file, or a test in it. A name is `file`, or `file`: test with the
 * describe() that it is in before it; files without a folder lie in test/integration/.
 */
export function missingTests(row: string[]): string[] {
  return row
    .at(-1)!
    .split("<br>")
    .filter((named) => {
      const [, file = "", name] = /^`(.*?)`(?:: (.*))?$/.exec(named) ?? [];
      const found = path.join(project, file.includes("/") ? file : `test/integration/${file}`);
      if (!file || !fs.existsSync(found)) return true;
      if (name === undefined) return false;
      return !testsIn(found).some((test) => `${separator}${test}`.endsWith(`${separator}${name}`));
    });
}

const known = new Map<string, string[]>();

/** The names of a file's tests, each behind those of the describe() that it is in. */
function testsIn(file: string): string[] {
  const before = known.get(file);
  if (before) return before;
  const names: string[] = [];
  const source = ts.createSourceFile(file, fs.readFileSync(file, "utf8"), ts.ScriptTarget.Latest);
  const visit = (node: ts.Node, within: string[]): void => {
    const called = ts.isCallExpression(node) ? nameOfCall(node) : undefined;
    if (called?.kind === "test") names.push([...within, called.name].join(separator));
    const inside = called?.kind === "describe" ? [...within, called.name] : within;
    ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(source, []);
  known.set(file, names);
  return names;
}

/** What test("name", …), describe.each(…)("name", …) and their like call themselves. */
function nameOfCall({ expression, arguments: [first] }: ts.CallExpression): { kind: string; name: string } | undefined {
  if (!first || !ts.isStringLiteralLike(first)) return undefined;
  let root: ts.Expression = expression;
  while (ts.isCallExpression(root) || ts.isPropertyAccessExpression(root)) root = root.expression;
  return ts.isIdentifier(root) ? { kind: root.text, name: first.text } : undefined;
}
