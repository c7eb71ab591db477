import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { BerthError, messageOf } from "../../api/errors";
import { findProgram, runProcess } from "../../sys/spawn";
import { readFeatures } from "./features";
import { OciRuntime } from "./oci-runtime";
import { runtimeMessage } from "./runtime-message";
import { runtimeEnvironment } from "./runtime-environment";

export interface HandlerOptions {
  /** Handlers of the configuration, by name. */
  configured: Record<string, { path: string }>;
  /** The handler of pods that name none; "" for crun where it can run here, else runc. */
  defaultHandler: string;
  /** conmon, by path or name. */
  conmon: string;
  /** For the runtimes' own state, one directory a handler. */
  stateDirectory: string;
  exitDirectory: string;
  systemdCgroup: boolean;
  logSizeMaxBytes: number;
  timeoutMs: number;
}

/** The OCI runtimes of this node by the names that RuntimeClasses give them. */
export class RuntimeHandlers {
  private constructor(
    private readonly byName: Map<string, OciRuntime>,
    readonly defaultName: string,
  ) {}

  /**
   * Finds the binaries and tries once whether the one for the default handler can run a container here. Throws
   * FailedPrecondition that names what is missing.
   */
  static async open(options: HandlerOptions, warn: (message: string) => void): Promise<RuntimeHandlers> {
    const conmon = findProgram(options.conmon);
    if (!conmon) throw missing("conmon", options.conmon, "conmon");
    const byName = new Map<string, OciRuntime>();
    const add = async (name: string, binary: string) => {
      const file = findProgram(binary);
      if (!file) return false;
      const root = path.join(options.stateDirectory, name);
      fs.mkdirSync(root, { recursive: true, mode: 0o700 });
      const features = await readFeatures(file, root);
      byName.set(name, new OciRuntime({ ...options, name, path: file, features, root, conmon }));
      return true;
    };
    for (const [name, { path: binary }] of Object.entries(options.configured)) {
      if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) {
        throw new BerthError("InvalidArgument", `runtime.handlers: "${name}" can't be a handler's name`, {
          hint: "a RuntimeClass can name lower-case letters, digits, - and . only",
        });
      }
      if (!(await add(name, binary || name))) throw missing(`the runtime of handler "${name}"`, binary || name, name);
    }
    for (const name of ["crun", "runc"]) if (!byName.has(name)) await add(name, name);
    return new RuntimeHandlers(byName, await chooseDefault(options.defaultHandler, byName, warn));
  }

  /** The runtime for a pod's `runtime_handler`, "" being the default. Throws InvalidArgument for one that is not known. */
  get(name: string): OciRuntime {
    const runtime = this.byName.get(name || this.defaultName);
    if (!runtime) {
      throw new BerthError("InvalidArgument", `no runtime handler "${name}" is configured`, {
        hint: `known handlers: ${this.names().join(", ")}; add [runtime.handlers.${name}] to the configuration`,
      });
    }
    return runtime;
  }

  names(): string[] {
    return [...this.byName.keys()].sort();
  }
}

async function chooseDefault(
  wanted: string,
  byName: Map<string, OciRuntime>,
  warn: (message: string) => void,
): Promise<string> {
  if (wanted) {
    if (!byName.has(wanted))
      throw new BerthError("FailedPrecondition", `runtime.default_handler "${wanted}" is not known`);
    return wanted;
  }
  const refusals: string[] = [];
  for (const name of ["crun", "runc"]) {
    const runtime = byName.get(name);
    if (!runtime) continue;
    const refusal = await tryRuntime(runtime);
    // a full disk says nothing of the runtime, and what runs has to be looked after all the same
    if (refusal !== undefined && noSpace.test(refusal)) {
      warn(`whether ${name} can run containers here could not be tried: ${refusal}`);
      return name;
    }
    if (refusal === undefined) {
      for (const each of refusals) warn(`${each}; pods run by ${name} instead`);
      return name;
    }
    refusals.push(`${name} can't run containers here: ${refusal}${remedy(refusal)}`);
  }
  if (refusals.length > 0) throw new BerthError("FailedPrecondition", refusals.join("; "));
  throw missing("an OCI runtime", "crun or runc", "crun");
}

const noSpace = /no space left|ENOSPC|quota/i;

const remedy = (refusal: string) =>
  /cgroup/i.test(refusal)
    ? " (on a hybrid cgroup hierarchy crun wants every controller on version 1: mount hugetlb there, or boot with version 2)"
    : "";

const missing = (what: string, name: string, debianPackage: string) =>
  new BerthError("FailedPrecondition", `${what} is missing: ${name} was not found`, {
    hint: `install it (Debian: apt-get install ${debianPackage}) or set its path in the configuration`,
  });

/** Runs /usr/bin/true in a container of the host's own programs. Returns what the runtime says against it. */
async function tryRuntime(runtime: OciRuntime): Promise<string | undefined> {
  const id = `probe-${randomBytes(6).toString("hex")}`;
  const bundle = path.join(runtime.options.root, `.${id}`);
  const rootfs = path.join(bundle, "rootfs");
  try {
    fs.mkdirSync(rootfs, { recursive: true, mode: 0o700 });
    for (const name of ["proc", "dev"]) fs.mkdirSync(path.join(rootfs, name));
    const mounts: object[] = [{ destination: "/proc", type: "proc", source: "proc" }];
    for (const name of ["usr", "bin", "lib", "lib64"]) {
      const stat = fs.lstatSync(`/${name}`, { throwIfNoEntry: false });
      if (stat?.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(`/${name}`), path.join(rootfs, name));
      else if (stat) {
        mounts.push({ destination: `/${name}`, type: "bind", source: `/${name}`, options: ["rbind", "ro"] });
      }
    }
    const spec = {
      ociVersion: "1.0.2",
      root: { path: rootfs },
      process: { cwd: "/", args: ["true"], env: ["PATH=/usr/bin:/bin"], user: { uid: 0, gid: 0 } },
      mounts,
      linux: { cgroupsPath: cgroupsPath(runtime, id), namespaces: [{ type: "mount" }, { type: "pid" }] },
    };
    fs.writeFileSync(path.join(bundle, "config.json"), JSON.stringify(spec));
    const { path: file, root, systemdCgroup, timeoutMs } = runtime.options;
    const result = await runProcess({
      file,
      args: [`--root=${root}`, ...(systemdCgroup ? ["--systemd-cgroup"] : []), "run", "--bundle", bundle, id],
      env: runtimeEnvironment(),
      timeoutMs,
    });
    if (result.code === 0) return undefined;
    await runtime.delete(id).catch(() => {});
    return runtimeMessage(result.stderr) || `exit code ${result.code}`;
  } catch (error) {
    return messageOf(error);
  } finally {
    fs.rmSync(bundle, { recursive: true, force: true });
  }
}

const cgroupsPath = (runtime: OciRuntime, id: string) =>
  runtime.options.systemdCgroup ? `system.slice:berth:${id}` : `/berth-${id}`;
