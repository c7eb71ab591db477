import fs from "node:fs";
import path from "node:path";

const texts = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** The packages that files come from. */
export function packagesOf(files) {
  const names = files.flatMap((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []);
  return [...new Set(names)].sort();
}

/** What the licences of others ask to be handed on, a section a package. `packages` has the directory of each. */
export function licencesOf(packages) {
  return Object.entries(packages)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, directory]) => {
      const { version, license } = JSON.parse(fs.readFileSync(path.join(directory, "package.json"), "utf8"));
      const files = fs.readdirSync(directory).filter((file) => texts.test(file));
      if (files.length === 0 && !license) throw new Error(`${name} tells no licence`);
      const bodies = files.sort().map((file) => fs.readFileSync(path.join(directory, file), "utf8").trim());
      return [`## ${name} ${version} (${license})`, ...bodies].join("\n\n");
    })
    .join("\n\n\n")
    .concat("\n");
}
