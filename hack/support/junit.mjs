// Reads what ginkgo's JUnit report says of each spec.

const ENTITIES = { lt: "<", gt: ">", quot: '"', amp: "&", apos: "'" };
const decode = (text) =>
  text
    .replace(/&#(x?)([0-9a-f]+);/gi, (_, hex, code) => String.fromCodePoint(Number.parseInt(code, hex ? 16 : 10)))
    .replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => ENTITIES[name]);
const attribute = (text, name) => decode(new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1] ?? "");

/** Each spec as { name, status, reason, seconds }; status is passed, failed or skipped. */
export function readSpecs(xml) {
  const cases = xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g);
  return [...cases]
    .map(([, attributes, body = ""]) => {
      const said = attribute(attributes, "status");
      const status = ["passed", "skipped", "pending"].includes(said) ? said.replace("pending", "skipped") : "failed";
      const reason = attribute(/<(?:failure|error|skipped)\b[^>]*>/.exec(body)?.[0] ?? "", "message");
      const name = attribute(attributes, "name");
      return { name, status, reason, seconds: Number(attribute(attributes, "time")) };
    })
    .filter(({ name, status }) => name.startsWith("[It]") || status === "failed") // a failed BeforeSuite counts
    .map((spec) => ({ ...spec, name: spec.name.replace("[It] [k8s.io] ", "") }));
}
