import fs from "node:fs";
import { ContainerState, PodSandboxState } from "../../api/messages";
import { isAlive } from "../../sys/process-identity";
import type { EventCounts } from "../events/event-hub";
import { currentState } from "../sandbox/status";
import type { Services } from "../services";

export const sandboxStates = ["ready", "notready"] as const;
export const containerStates = ["created", "running", "exited"] as const;

/** A file system that the daemon writes to. */
export interface Space {
  sizeBytes: number;
  availableBytes: number;
  inodes: number;
  inodesFree: number;
}

/** What there is on this node at the moment, in numbers. */
export interface NodeState {
  sandboxes(): Record<(typeof sandboxStates)[number], number>;
  containers(): Record<(typeof containerStates)[number], number>;
  /** Of containers that have not ended: the monitors that live, and those that are gone. */
  monitors(): { alive: number; gone: number };
  images(): number;
  networkReady(): boolean;
  /** Network attachments that await their DEL, by whether their sandbox is there. */
  attachments(): { sandbox: number; none: number };
  events(): EventCounts;
  used(): Promise<{ images: Used; containers: Used }>;
  space(): Record<"root" | "state", Space>;
}

export interface Used {
  usedBytes: number;
  inodesUsed: number;
}

export function nodeState(services: Services): NodeState {
  const { store, networks, images, events, config } = services;
  return {
    sandboxes() {
      const ready = store.sandboxes
        .list()
        .filter((sandbox) => currentState(services, sandbox) === PodSandboxState.SANDBOX_READY).length;
      return { ready, notready: store.sandboxes.list().length - ready };
    },
    containers() {
      const count = (state: ContainerState) => store.containers.list().filter((each) => each.state === state).length;
      return {
        created: count(ContainerState.CONTAINER_CREATED),
        running: count(ContainerState.CONTAINER_RUNNING),
        exited: count(ContainerState.CONTAINER_EXITED),
      };
    },
    monitors() {
      const watched = store.containers.list().filter(({ record }) => !record.exit && record.monitor);
      const alive = watched.filter(({ record }) => isAlive(record.monitor!)).length;
      return { alive, gone: watched.length - alive };
    },
    images: () => images.list().length,
    networkReady: () => networks.status().ready,
    attachments() {
      const all = networks.attachments();
      const sandbox = all.filter((id) => store.sandboxes.find(id)).length;
      return { sandbox, none: all.length - sandbox };
    },
    events: () => events.counts(),
    used: () => images.fsUsage(),
    space: () => ({ root: spaceAt(config.root), state: spaceAt(config.state) }),
  };
}

function spaceAt(directory: string): Space {
  const { bsize, blocks, bavail, files, ffree } = fs.statfsSync(directory);
  return { sizeBytes: bsize * blocks, availableBytes: bsize * bavail, inodes: files, inodesFree: ffree };
}
