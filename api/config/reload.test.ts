import { applyConfig, defaultsOf } from "./load";
import type { Section } from "./options";
import { applyReload, describeReload, reloadableOptions } from "./reload";
import { type Config, configSchema } from "./schema";

function config(text = ""): Config {
  const made = defaultsOf(configSchema) as Config;
  applyConfig(made, text, "config.toml");
  return made;
}

test("applyReload() changes what can be changed and tells what waits for a restart", () => {
  const live = config();
  const images = live.images;
  const next = config(`
    root = "/elsewhere"
    [log]
    level = "debug"
    [images]
    pinned = ["pause"]
    [images.registries."example.org"]
    password = "secret"
    [cni]
    bin_dirs = ["/a"]
  `);
  expect(applyReload(live, next)).toEqual({
    applied: ["log.level", "images.pinned", "images.registries"],
    waiting: ["root", "cni.bin_dirs"],
  });
  expect(live.log.level).toBe("debug");
  expect(live.root).toBe("/var/lib/berth");
  // those who hold a part of the configuration see it change
  expect(live.images).toBe(images);
  expect(images.registries["example.org"]?.password).toBe("secret");
});

test("a handler's annotations change at once, a new handler waits", () => {
  const live = config('[runtime.handlers.kata]\npath = "/k"');
  const next = config('[runtime.handlers.kata]\npath = "/k"\nallowed_annotations = ["a"]\n[runtime.handlers.new]\n');
  expect(applyReload(live, next)).toEqual({
    applied: ["runtime.handlers.kata.allowed_annotations"],
    waiting: ["runtime.handlers.new"],
  });
  expect(live.runtime.handlers["kata"]?.allowed_annotations).toEqual(["a"]);
});

test("nothing has changed where nothing differs", () => {
  expect(applyReload(config(), config())).toEqual({ applied: [], waiting: [] });
});

test("every option that is said to change at once exists", () => {
  const keys = (section: Section<unknown>, prefix: string): string[] =>
    Object.entries(section.options).flatMap(([name, option]) => {
      const key = `${prefix}${name}`;
      if (option.kind === "section") return keys(option, `${key}.`);
      return option.kind === "tables" ? [key, ...keys(option.of, `${key}.NAME.`)] : [key];
    });
  const known = keys(configSchema, "");
  expect([...reloadableOptions].filter((key) => !known.includes(key))).toEqual([]);
  expect(describeReload("images.registries.NAME.password")).toBe("at once");
  expect(describeReload("runtime.handlers.NAME.path")).toBe("no");
});
