import type { SpecSeccomp, SpecSyscallRule } from "../runtime-spec";
import { allowedWith, alwaysAllowed, architectureRules } from "./syscalls";

const ALLOW = "SCMP_ACT_ALLOW";
const ERRNO = "SCMP_ACT_ERRNO";
const EPERM = 1;
const ENOSYS = 38;
const AF_ALG = 38;
const AF_VSOCK = 40;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const newNamespaceFlags = 0x7e020000;
/** PER_LINUX and PER_LINUX32, each also with UNAME26, and the value that only asks. */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const cache = new Map<string, SpecSeccomp>();

/**
 * The profile that stands for RuntimeDefault, for a container with these capabilities: what is not allowed fails with
 * EPERM. The object is shared between containers and must not be changed.
 */
export function defaultProfile(capabilities: readonly string[], architecture: string = process.arch): SpecSeccomp {
  const opening = Object.keys(allowedWith).filter((name) => capabilities.includes(name));
  const key = [architecture, ...opening].join(",");
  let profile = cache.get(key);
  if (!profile) {
    profile = makeProfile(opening, architecture);
    cache.set(key, profile);
  }
  return profile;
}

function makeProfile(capabilities: string[], architecture: string): SpecSeccomp {
  const own = architectureRules[architecture];
  const names = new Set([
    ...alwaysAllowed,
    ...(own?.allowed ?? []),
    ...capabilities.flatMap((capability) => allowedWith[capability] ?? []),
  ]);
  return {
    defaultAction: ERRNO,
    defaultErrnoRet: EPERM,
    ...(own && { architectures: own.architectures }),
    syscalls: [
      { names: [...names].sort(), action: ALLOW },
      ...personalities.map((value) => on("personality", { index: 0, value, op: "SCMP_CMP_EQ" })),
      ...socketRules(),
      ...(names.has("clone") ? [] : cloneRules(architecture)),
    ],
  };
}

const on = (name: string, argument: NonNullable<SpecSyscallRule["args"]>[number]): SpecSyscallRule => ({
  names: [name],
  action: ALLOW,
  args: [argument],
});

/**
 * Every family but AF_ALG (an attack surface of the kernel's that few need) and AF_VSOCK (which leads out of a virtual
 * machine past every network policy). Three ranges of one condition each: the runtimes make separate rules, joined by
 * "or", of two conditions on one argument.
 */
function socketRules(): SpecSyscallRule[] {
  return [
    on("socket", { index: 0, value: AF_ALG, op: "SCMP_CMP_LT" }),
    on("socket", { index: 0, value: AF_ALG + 1, op: "SCMP_CMP_EQ" }),
    on("socket", { index: 0, value: AF_VSOCK, op: "SCMP_CMP_GT" }),
  ];
}

/**
 * clone without new namespaces. clone3 has its flags in memory, where no filter can look, so it fails as if the kernel
 * did not have it, and C libraries fall back to clone.
 */
function cloneRules(architecture: string): SpecSyscallRule[] {
  // s390x swaps the first two arguments of clone(2)
  const index = architecture === "s390x" ? 1 : 0;
  return [
    on("clone", { index, value: newNamespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }),
    { names: ["clone3"], action: ERRNO, errnoRet: ENOSYS },
  ];
}
