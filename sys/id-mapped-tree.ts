import fs from "node:fs";
import { check, declareSyscall, withFd } from "./libc";

const openTree = declareSyscall(428, "int, str, uint");
const mountSetattr = declareSyscall(442, "int, str, uint, void*, size_t");
const moveMount = declareSyscall(429, "int, str, int, str, uint");

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0x80000;
const MOUNT_ATTR_RDONLY = 1n;
const MOUNT_ATTR_IDMAP = 0x00100000n;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const attributesBytes = 32;

/**
 * Opens a mount of `directory` alone that is attached nowhere, and in which the owners of files are those that the user
 * namespace in the file `userNamespace` makes of them (mount_setattr(2), ID-mapped mounts). Read-only where asked. The
 * caller closes it. Fails with EINVAL where the filesystem cannot be mapped.
 */
export function openIdMapped(directory: string, userNamespace: string, options: { readonly?: boolean } = {}): number {
  return withFd(fs.openSync(userNamespace, "r"), (namespace) => {
    const tree = check(openTree(AT_FDCWD, directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), "open_tree", directory);
    try {
      // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
      const attributes = Buffer.alloc(attributesBytes);
      attributes.writeBigUInt64LE(MOUNT_ATTR_IDMAP | (options.readonly ? MOUNT_ATTR_RDONLY : 0n), 0);
      attributes.writeBigUInt64LE(BigInt(namespace), 24);
      check(mountSetattr(tree, "", AT_EMPTY_PATH, attributes, attributesBytes), "mount_setattr", directory);
      return tree;
    } catch (error) {
      fs.closeSync(tree);
      throw error;
    }
  });
}

/** Mounts what a descriptor of openIdMapped() or fsmount(2) holds on `target`. */
export function attachMount(tree: number, target: string): void {
  check(moveMount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), "move_mount", target);
}
