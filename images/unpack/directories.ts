import fs from "node:fs";
import { BerthError } from "../../api/errors";
import { setFileTimes } from "../../sys/file-times";
import { setXattr } from "../../sys/xattr";
import { baseOf, forFs, forSys, isWhiteout, joined, opaqueXattr, parentOf, removeSync } from "./byte-path";
import { setXattrs } from "./set-xattrs";
import { shown } from "./tar-entry";

/**
 * How a layer meets those below it. `base`: there are none. `alone`: they are not here, and what is said about them is
 * written as overlayfs's marks. `merged`: the tree is a mount of them all with this layer on top.
 */
export type ApplyMode = "base" | "alone" | "merged";

/** A layer that cannot be understood alone, since its paths lead through what the layers below have. */
export class NeedsParents extends Error {}

interface DirectoryState {
  /** Set when all is written, as each new child changes it. */
  modifiedNs: bigint;
  /** Set at the end too: a default ACL would otherwise be inherited by what is written after. */
  xattrs: Map<string, Buffer> | undefined;
  /** Made or changed by this layer. */
  touched: boolean;
  /** Has no entry of its own. */
  implicit: boolean;
  /** Nothing of the layers below shows in it. */
  opaque: boolean;
  /** Stands for something that this layer removed, so that it takes nothing from the layers below either. */
  fresh: boolean;
}

const mostLinks = 40;

/**
 * The directories of a tree while a layer is applied to it: finds the true one for a path, makes those that have no
 * entry, and keeps what is set on them when all is written. Paths are byte strings relative to the tree; true ones
 * have no symbolic link in them.
 */
export class Directories {
  private readonly trueOf = new Map<string, string>();
  private readonly states = new Map<string, DirectoryState>();
  /** True paths of overlayfs's marks. */
  readonly whiteouts = new Set<string>();
  private linksLeft = mostLinks;
  made = 0;

  constructor(
    private readonly root: string,
    private readonly mode: ApplyMode,
  ) {
    const modifiedNs = mode === "merged" ? fs.lstatSync(this.at(""), { bigint: true }).mtimeNs : 0n;
    this.states.set("", { ...newState(modifiedNs), implicit: mode !== "merged", touched: mode !== "merged" });
    this.forgetPaths();
  }

  at(path: string): string | Buffer {
    return forFs(`${this.root}/${path}`);
  }

  atSys(path: string): string | Buffer {
    return forSys(`${this.root}/${path}`);
  }

  /** The true path of the directory `path`, made with mode 0755 where it is missing. */
  resolve(path: string): string {
    const known = this.trueOf.get(path);
    if (known !== undefined) return known;
    this.linksLeft = mostLinks;
    const found = this.enter(joined(this.resolve(parentOf(path)), baseOf(path)), true)!;
    this.trueOf.set(path, found);
    return found;
  }

  /** The same where it is there already; makes nothing. */
  find(path: string): string | undefined {
    const known = this.trueOf.get(path);
    if (known !== undefined) return known;
    this.linksLeft = mostLinks;
    const parent = this.find(parentOf(path));
    return parent === undefined ? undefined : this.enter(joined(parent, baseOf(path)), false);
  }

  private enter(path: string, make: true): string;
  private enter(path: string, make: boolean): string | undefined;
  private enter(path: string, make: boolean): string | undefined {
    const stats = fs.lstatSync(this.at(path), { throwIfNoEntry: false, bigint: true });
    if (stats?.isDirectory()) {
      if (!this.states.has(path)) this.states.set(path, newState(stats.mtimeNs));
      return path;
    }
    if (stats?.isSymbolicLink()) return this.follow(path, make);
    if (!make) return undefined;
    if (stats && !isWhiteout(stats)) {
      throw new BerthError("InvalidArgument", `${shown(path)} is no directory, but the layer has entries below it`);
    }
    this.make(path, { implicit: true, fresh: stats !== undefined });
    return path;
  }

  /** Walks a link's target from the tree's root or the link's own directory; `..` ends at the root. */
  private follow(path: string, make: boolean): string | undefined {
    if (this.mode === "alone") throw new NeedsParents(`${shown(path)} is a link on the way to an entry`);
    if (this.linksLeft-- === 0) throw new BerthError("InvalidArgument", `${shown(path)}: too many links on the way`);
    const target = fs.readlinkSync(this.at(path), { encoding: "latin1" });
    let here: string | undefined = target.startsWith("/") ? "" : parentOf(path);
    for (const part of target.split("/")) {
      if (part === "" || part === ".") continue;
      here = part === ".." ? parentOf(here) : this.enter(joined(here, part), make);
      if (here === undefined) return undefined;
    }
    return here;
  }

  /** Makes a directory where nothing or a whiteout is. */
  make(path: string, { implicit, fresh }: { implicit: boolean; fresh: boolean }): void {
    if (fresh && this.whiteouts.delete(path)) fs.unlinkSync(this.at(path));
    fs.mkdirSync(this.at(path), 0o755);
    this.made++;
    fs.chownSync(this.at(path), 0, 0);
    fs.chmodSync(this.at(path), 0o755);
    this.touch(parentOf(path));
    this.states.set(path, { ...newState(0n), implicit, fresh, touched: true });
    if (fresh && this.mode === "alone") this.setOpaque(path);
  }

  /** Nothing of the layers below shows in this directory. */
  setOpaque(path: string): void {
    // the roots of all layers are merged, whatever marks they have
    if (path === "") throw new NeedsParents("the root hides the layers below");
    setXattr(this.atSys(path), opaqueXattr, Buffer.from("y"));
    this.stateOf(path).opaque = true;
  }

  /** This directory has an entry, which says what it is like. */
  describe(path: string, modifiedNs: bigint, xattrs: Map<string, Buffer> | undefined): void {
    const state = this.stateOf(path);
    state.modifiedNs = modifiedNs;
    state.xattrs = xattrs;
    state.implicit = false;
    state.touched = true;
  }

  /** A directory of this layer is to be as if newly made: what it has in layers below is gone. */
  setFresh(path: string): void {
    this.stateOf(path).fresh = true;
    this.setOpaque(path);
  }

  /** Something in this directory comes or goes: its time is put back at the end. */
  touch(path: string): void {
    this.stateOf(path).touched = true;
  }

  /** Removes what is at a true path, and all that is known below it. */
  remove(path: string): void {
    const stats = fs.lstatSync(this.at(path), { throwIfNoEntry: false });
    if (!stats) return;
    this.touch(parentOf(path));
    if (!stats.isDirectory()) {
      fs.unlinkSync(this.at(path));
      this.whiteouts.delete(path);
      if (stats.isSymbolicLink()) this.forgetPaths();
      return;
    }
    removeSync(`${this.root}/${path}`);
    const prefix = `${path}/`;
    this.states.delete(path);
    for (const below of this.states.keys()) if (below.startsWith(prefix)) this.states.delete(below);
    for (const below of this.whiteouts) if (below.startsWith(prefix)) this.whiteouts.delete(below);
    this.forgetPaths();
  }

  /**
   * Sets what waited for the end. Returns the directories that are to look as they do in the layers below; whiteouts
   * that hide nothing, as nothing of the layers below shows in their directory, are removed.
   */
  finish(): { implicit: string[] } {
    for (const path of this.whiteouts) {
      if (!this.isCovered(path)) continue;
      fs.unlinkSync(this.at(path));
      this.whiteouts.delete(path);
    }
    const implicit: string[] = [];
    for (const [path, state] of this.states) {
      if (!state.touched) continue;
      if (state.xattrs) setXattrs(this.atSys(path), state.xattrs);
      setFileTimes(this.atSys(path), state.modifiedNs);
      if (state.implicit && !state.fresh && !this.isCovered(path)) implicit.push(path);
    }
    return { implicit };
  }

  private isCovered(path: string): boolean {
    for (let above = path; above !== ""; ) {
      above = parentOf(above);
      if (this.states.get(above)?.opaque) return true;
    }
    return false;
  }

  private stateOf(path: string): DirectoryState {
    const state = this.states.get(path);
    if (!state) throw new BerthError("Internal", `${shown(path)} is not a known directory`);
    return state;
  }

  private forgetPaths(): void {
    this.trueOf.clear();
    this.trueOf.set("", "");
  }
}

const newState = (modifiedNs: bigint): DirectoryState => ({
  modifiedNs,
  xattrs: undefined,
  touched: false,
  implicit: false,
  opaque: false,
  fresh: false,
});
