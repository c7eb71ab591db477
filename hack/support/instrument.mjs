import fs from "node:fs";
import path from "node:path";
import ts from "typescript";

/**
 * An esbuild plugin for fuzzing: each block of the project's own sources below `rooms` counts its runs in
 * `globalThis.fuzzing.counts`, and each `===` hands its two sides to `fuzzing.same`. Lines stay where they are.
 * `found` is filled with how many blocks there are and with the literals of the sources, which make a dictionary.
 */
export function instrument(rooms, found) {
  return {
    name: "instrument",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
        const [room] = path.relative(process.cwd(), file).split(path.sep);
        if (!rooms.includes(room) || file.includes("/generated/")) return undefined;
        return { contents: withCounts(fs.readFileSync(file, "utf8"), file, found), loader: "ts" };
      });
    },
  };
}

const shortcuts = [
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.QuestionQuestionToken,
];

function withCounts(text, file, found) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  /** What is put in at a place: what closes goes before what opens there. */
  const opening = [];
  const closing = [];
  const replaced = [];
  const count = () => `globalThis.fuzzing.counts[${found.blocks++}]++`;
  const around = (node, before, after) => {
    opening.push([node.getStart(source), before]);
    return () => closing.push([node.end, after]);
  };
  const statement = (node) =>
    ts.isBlock(node)
      ? void opening.push([node.getStart(source) + 1, ` ${count()}; `])
      : around(node, `{ ${count()}; `, " }");
  const counted = (expression) => around(expression, `(${count()}, (`, "))");

  const visit = (node) => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node)) return;
    if ((ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) && node.text.length <= 64) {
      found.literals.add(node.text);
    }
    const closes = [];
    if (ts.isIfStatement(node)) {
      closes.push(statement(node.thenStatement));
      if (node.elseStatement) closes.push(statement(node.elseStatement));
      else closes.push(() => closing.push([node.end, ` else ${count()};`]));
    } else if (ts.isIterationStatement(node, false)) closes.push(statement(node.statement));
    else if (ts.isCaseOrDefaultClause(node)) {
      if (node.statements.length > 0) opening.push([node.statements[0].getStart(source), `${count()}; `]);
    } else if (ts.isCatchClause(node)) statement(node.block);
    else if (ts.isConditionalExpression(node)) closes.push(counted(node.whenTrue), counted(node.whenFalse));
    else if (ts.isFunctionLike(node) && node.body) {
      closes.push(ts.isBlock(node.body) ? statement(node.body) : counted(node.body));
    } else if (ts.isBinaryExpression(node)) {
      const { left, operatorToken, right } = node;
      const { kind } = operatorToken;
      if (shortcuts.includes(kind)) closes.push(counted(right));
      const isNot = kind === ts.SyntaxKind.ExclamationEqualsEqualsToken;
      if (isNot || kind === ts.SyntaxKind.EqualsEqualsEqualsToken) {
        closes.push(around(left, `${isNot ? "!" : ""}globalThis.fuzzing.same(`, ""), around(right, "", ")"));
        replaced.push([operatorToken.getStart(source), operatorToken.end]);
      }
    }
    ts.forEachChild(node, visit);
    for (const close of closes) close?.();
  };
  ts.forEachChild(source, visit);

  const edits = [
    ...closing.map(([at, put], order) => ({ at, kind: 0, order, put, end: at })),
    ...opening.map(([at, put], order) => ({ at, kind: 1, order, put, end: at })),
    ...replaced.map(([at, end], order) => ({ at, kind: 2, order, put: ",", end })),
  ].sort((a, b) => a.at - b.at || a.kind - b.kind || a.order - b.order);
  let result = "";
  let done = 0;
  for (const { at, end, put } of edits) {
    result += text.slice(done, at) + put;
    done = end;
  }
  return result + text.slice(done);
}
