import { codeOf, messageOf } from "../../api/errors";
import type { ContainerId, SandboxId } from "../../api/ids";
import type { StatePaths } from "../state-paths";
import { checkContainerRecord, Container, type ContainerRecord } from "./container";
import { ObjectIndex } from "./object-index";
import { type LoadedRecords, RecordFiles } from "./record-files";
import { Reservations } from "./reservations";
import { checkSandboxRecord, Sandbox, type SandboxRecord } from "./sandbox";

/**
 * The one owner of what sandboxes and containers there are. What changes is on disk before the call returns.
 */
export class Store {
  readonly sandboxes = new ObjectIndex<Sandbox>("sandbox");
  readonly containers = new ObjectIndex<Container>("container", ({ record }) => record.sandboxId);
  readonly sandboxNames = new Reservations<SandboxId>();
  readonly containerNames = new Reservations<ContainerId>();
  private readonly sandboxFiles: RecordFiles<SandboxRecord>;
  private readonly containerFiles: RecordFiles<ContainerRecord>;

  constructor(
    paths: StatePaths,
    private readonly warn: (message: string) => void,
  ) {
    const { sandboxes, containers, damaged } = paths;
    this.sandboxFiles = new RecordFiles({ directory: sandboxes, name: "sandbox.json", damaged }, checkSandboxRecord);
    this.containerFiles = new RecordFiles(
      { directory: containers, name: "container.json", damaged },
      checkContainerRecord,
    );
  }

  /** Writes a record without showing the object: for what is not whole yet. */
  writeSandbox(record: SandboxRecord): void {
    this.sandboxFiles.write(record);
  }

  /** Shows a sandbox from now on. */
  addSandbox(record: SandboxRecord): Sandbox {
    this.sandboxFiles.write(record);
    return this.adoptSandbox(record);
  }

  /** Shows one whose record was read from the disk: a full one must not keep it from being looked after. */
  adoptSandbox(record: SandboxRecord): Sandbox {
    const sandbox = new Sandbox(record);
    this.sandboxes.set(sandbox);
    return sandbox;
  }

  updateSandbox(sandbox: Sandbox, change: Partial<SandboxRecord>): void {
    const record = { ...sandbox.record, ...change };
    this.sandboxFiles.write(record);
    sandbox.record = record;
  }

  addContainer(record: ContainerRecord): Container {
    this.containerFiles.write(record);
    return this.adoptContainer(record);
  }

  /** As adoptSandbox(). */
  adoptContainer(record: ContainerRecord): Container {
    const container = new Container(record);
    this.containers.set(container);
    return container;
  }

  updateContainer(container: Container, change: Partial<ContainerRecord>): void {
    const record = { ...container.record, ...change };
    this.containerFiles.write(record);
    container.record = record;
  }

  /** Changes what has come to pass, which counts though a full disk does not take it: the next start finds out again. */
  noteSandbox(sandbox: Sandbox, change: Partial<SandboxRecord>): void {
    sandbox.record = { ...sandbox.record, ...change };
    this.unlessFull(() => this.sandboxFiles.write(sandbox.record));
  }

  /** As noteSandbox(). */
  noteContainer(container: Container, change: Partial<ContainerRecord>): void {
    container.record = { ...container.record, ...change };
    this.unlessFull(() => this.containerFiles.write(container.record));
  }

  private unlessFull(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (codeOf(error) !== "ResourceExhausted") throw error;
      this.warn(`a change of state is kept in memory alone: ${messageOf(error)}`);
    }
  }

  /** The containers that a filter may mean: of that ID or a beginning of it, of that sandbox; an empty one means all. */
  containersNamed(id = "", sandboxIdOrPrefix = ""): Container[] {
    const sandboxId = sandboxIdOrPrefix && this.sandboxes.find(sandboxIdOrPrefix)?.id;
    if (sandboxId === undefined) return [];
    if (id === "") return sandboxId ? this.containersOf(sandboxId as SandboxId) : this.containers.list();
    const one = this.containers.find(id);
    return one && (!sandboxId || one.record.sandboxId === sandboxId) ? [one] : [];
  }

  containersOf(sandboxId: SandboxId): Container[] {
    return this.containers.inGroup(sandboxId);
  }

  load(): { sandboxes: LoadedRecords<SandboxRecord>; containers: LoadedRecords<ContainerRecord> } {
    return { sandboxes: this.sandboxFiles.load(), containers: this.containerFiles.load() };
  }
}
