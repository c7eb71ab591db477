import { BerthError } from "../../api/errors";
import { baseOf, joined, parentOf } from "./byte-path";
import { shown, type TarEntry } from "./tar-entry";

const mark = ".wh.";
const metaMark = ".wh..wh.";

/** What an entry says about the layers below (OCI image spec, layer.md#whiteouts). */
export type Whiteout =
  | { kind: "none" }
  /** AUFS's own bookkeeping. */
  | { kind: "ignored" }
  /** `path` goes. */
  | { kind: "remove"; path: string }
  /** All that is in `path` goes. */
  | { kind: "opaque"; path: string };

/** Throws InvalidArgument where the name would remove the directory itself or its parent, or the root. */
export function whiteoutOf(entry: TarEntry): Whiteout {
  const { path } = entry;
  // in a tree for overlayfs this device would hide what is below, so that is what it means
  if (entry.type === "character" && entry.deviceMajor === 0 && entry.deviceMinor === 0) {
    if (path === "") throw new BerthError("InvalidArgument", "the layer removes its own root");
    return { kind: "remove", path };
  }
  if (!path.includes(mark)) return { kind: "none" };
  const base = baseOf(path);
  if (base === `${metaMark}.opq`) return { kind: "opaque", path: parentOf(path) };
  if (path.startsWith(metaMark) || path.includes(`/${metaMark}`)) return { kind: "ignored" };
  if (!base.startsWith(mark)) return { kind: "none" };
  const name = base.slice(mark.length);
  if (name === "" || name === "." || name === "..") {
    throw new BerthError("InvalidArgument", `the whiteout ${shown(path)} names nothing that could be removed`);
  }
  return { kind: "remove", path: joined(parentOf(path), name) };
}
