import { BerthError } from "../../api/errors";
import type { Int64Value } from "../../api/messages";
import type { RuntimeSpec, SpecLinux, SpecResources } from "../runtime-spec";
import { specAnnotations } from "./annotations";
import { apparmorProfile } from "./apparmor";
import { processArgs, workingDirectory } from "./args";
import { capabilitySets } from "./capabilities";
import { cdiParts, withVariables } from "./cdi";
import { probeCgroupFeatures } from "./cgroup-features";
import { invalid } from "./check-text";
import { specDevices } from "./devices";
import { environment } from "./environment";
import { hiddenPaths } from "./hidden-paths";
import { checkKernelPlaces } from "./kernel-places";
import { specMappings } from "./id-mappings";
import type { SpecInput } from "./input";
import { specMounts } from "./mounts";
import { specNamespaces } from "./namespaces";
import { oomScoreAdj } from "./oom-score";
import { resourcesOf } from "./resources";
import { rlimits } from "./rlimits";
import { specSeccomp } from "./seccomp";
import { type ResolvedUser, resolveUser } from "./user";

export interface BuiltSpec {
  spec: RuntimeSpec;
  user: ResolvedUser;
  /** What was asked for and left out, because the environment does not have it; for the log. */
  warnings: string[];
}

/** One that releases of crun and runc in use accept. */
const ociVersion = "1.0.2";

/**
 * The runtime spec of a container, one section a file of this folder. Host paths of mounts that are missing are made,
 * and the image's volumes are filled below `volumesDir`: remove that directory where anything fails. Throws
 * InvalidArgument for what the request or the image has wrong, FailedPrecondition and RROUnsupported for what the host
 * cannot do.
 */
export async function buildSpec(input: SpecInput): Promise<BuiltSpec> {
  const { config, image, sandbox, rootfsPath, daemon, defaults } = input;
  const context = config.linux?.securityContext ?? null;
  const privileged = context?.privileged ?? false;
  if (privileged && !sandbox.privileged) throw invalid("no privileged container is allowed in an unprivileged sandbox");

  // what is only checked goes before what touches the host
  const args = processArgs({ command: config.command, args: config.args, image: image.config });
  checkKernelPlaces(rootfsPath);
  const cwd = workingDirectory(config.workingDir, image.config, rootfsPath);
  const env = environment({
    image: image.config.Env ?? [],
    config: config.envs,
    hostname: sandbox.hostname,
    tty: config.tty,
  });
  const namespaces = specNamespaces(input);
  const hidden = hiddenPaths(context);
  const account = await resolveUser({ rootfsPath, securityContext: context, imageUser: image.config.User ?? "" });
  const capabilities = capabilitySets({
    requested: context?.capabilities ?? null,
    privileged,
    defaults: defaults.capabilities,
    available: daemon.capabilities,
  });
  const limits = limitsOf(input);
  const seccomp = await specSeccomp({
    context,
    supported: input.features.seccomp,
    defaultProfilePath: defaults.seccompProfilePath,
    capabilities: capabilities.sets.bounding,
  });
  const profile = await apparmorProfile({
    context,
    supported: input.features.apparmor,
    defaultProfile: defaults.apparmorProfile,
  });
  const own = await specDevices({
    requested: config.devices,
    all: privileged && !input.privilegedWithoutHostDevices,
    owner: input.deviceOwnership ? { uid: idOf(context?.runAsUser), gid: idOf(context?.runAsGroup) } : {},
  });
  const cdi = await cdiParts(input, account);
  const gids = new Set([...account.additionalGids, ...cdi.additionalGids]);
  const user = { ...account, additionalGids: [...gids].sort((a, b) => a - b) };
  const { mounts, rootfsPropagation } = await specMounts(input, { injected: cdi.mounts });

  const spec: RuntimeSpec = {
    ociVersion,
    root: { path: rootfsPath, readonly: context?.readonlyRootfs ?? false },
    process: {
      terminal: config.tty,
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args,
      env: withVariables(env, cdi.env),
      cwd,
      capabilities: capabilities.sets,
      rlimits: rlimits({ ulimits: defaults.ulimits ?? [], hasSysResource: daemon.hasSysResource }),
      noNewPrivileges: context?.noNewPrivs ?? false,
      oomScoreAdj: oomScoreAdj(config.linux?.resources?.oomScoreAdj ?? 0n, daemon),
      ...(profile !== undefined && { apparmorProfile: profile }),
      ...(input.selinux.process !== undefined && { selinuxLabel: input.selinux.process }),
    },
    mounts,
    annotations: specAnnotations(input),
    ...(Object.keys(cdi.hooks).length > 0 && { hooks: cdi.hooks }),
    linux: {
      namespaces,
      ...userMappings(input),
      cgroupsPath: cgroupsPath(input),
      resources: { ...limits.resources, devices: [...own.rules, ...cdi.rules] },
      devices: [...new Map([...own.devices, ...cdi.devices].map((device) => [device.path, device])).values()],
      ...hidden,
      ...(rootfsPropagation && { rootfsPropagation }),
      ...(seccomp && { seccomp }),
      ...(input.selinux.mount !== undefined && { mountLabel: input.selinux.mount }),
      ...(cdi.intelRdt && { intelRdt: cdi.intelRdt }),
      ...(Object.keys(cdi.netDevices).length > 0 && { netDevices: cdi.netDevices }),
    },
  };
  return { spec, user, warnings: [...capabilities.warnings, ...limits.warnings, ...cdi.warnings] };
}

/** A number of the request, which resolveUser() has checked; undefined for none and for root's. */
const idOf = (id: Int64Value | null | undefined) => Number(id?.value ?? 0) || undefined;

function limitsOf({ config, cgroup, defaults }: SpecInput): { resources: SpecResources; warnings: string[] } {
  const request = config.linux?.resources;
  const { resources, warnings } = request
    ? resourcesOf(request, probeCgroupFeatures(cgroup.version))
    : { resources: {}, warnings: [] };
  // systemd gives a scope that says nothing a part of what the machine can have
  const limit = defaults.pidsLimit || (cgroup.driver === "systemd" ? -1 : 0);
  return { resources: { ...resources, ...(limit !== 0 && { pids: { limit } }) }, warnings };
}

function userMappings({ sandbox }: SpecInput): Pick<SpecLinux, "uidMappings" | "gidMappings"> {
  const user = sandbox.namespaces.user;
  return user ? { uidMappings: specMappings(user.uids), gidMappings: specMappings(user.gids) } : {};
}

// "slice:prefix:name" for systemd, a path otherwise; either is computed by the daemon, so a wrong one is its own fault
function cgroupsPath({ cgroup }: SpecInput): string {
  const right = cgroup.driver === "systemd" ? /^[^/:\n]*:[^/:\n]+:[^/:\n]+$/ : /^\/?[^\n:]+$/;
  if (!right.test(cgroup.path) || cgroup.path.split("/").includes("..")) {
    throw new BerthError("Internal", `the cgroups path ${cgroup.path} does not fit the driver ${cgroup.driver}`);
  }
  return cgroup.path;
}
