import { parser } from "@prometheus-io/lezer-promql";

/** A metric as it was scraped. */
export interface Family {
  type: string;
  /** The values that were seen of each label. */
  labels: Map<string, Set<string>>;
}

/** Reads Prometheus's text format. */
export function parseExposition(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  for (const line of text.split("\n")) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type) families.set(type[1]!, { type: type[2]!, labels: new Map() });
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line);
    if (!sample) continue;
    const family = familyOf(families, sample[1]!);
    if (!family) throw new Error(`a sample without a TYPE: ${line}`);
    for (const [, label, value] of (sample[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      if (!family.labels.has(label!)) family.labels.set(label!, new Set());
      family.labels.get(label!)!.add(value!);
    }
  }
  return families;
}

/** By the name of a family or of a histogram's series. */
export const familyOf = (families: Map<string, Family>, name: string): Family | undefined => {
  const found = families.get(name);
  if (found) return found;
  const base = families.get(name.replace(/_(bucket|sum|count)$/, ""));
  return base && ["histogram", "summary"].includes(base.type) ? base : undefined;
};

/** A selector of a PromQL expression. */
export interface Selector {
  metric: string;
  matchers: { label: string; operator: string; value: string }[];
}

/** What an expression of PromQL names. Throws on what is no such expression. */
export function readExpression(expression: string): { selectors: Selector[]; groupedBy: string[] } {
  // what Grafana puts in stands for a duration or a value
  const text = expression.replaceAll("$__rate_interval", "5m").replaceAll("$instance", ".*");
  const selectors: Selector[] = [];
  const groupedBy: string[] = [];
  let metric = "";
  parser.parse(text).iterate({
    enter(node) {
      const said = text.slice(node.from, node.to);
      if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${text}`);
      if (node.name === "VectorSelector") {
        metric = "";
        selectors.push({ metric, matchers: [] });
      }
      if (node.name === "Identifier" && node.node.parent?.name === "VectorSelector") selectors.at(-1)!.metric = said;
      if (node.name === "UnquotedLabelMatcher") {
        const match = /^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/.exec(said)!;
        selectors.at(-1)!.matchers.push({ label: match[1]!, operator: match[2]!, value: match[3]! });
      }
      if (node.name === "LabelName" && node.node.parent?.name === "GroupingLabels") groupedBy.push(said);
    },
  });
  return { selectors, groupedBy };
}
