import { Counter, Gauge, type Registry } from "prom-client";
import type { NodeState } from "./node-state";

/** What is looked up at each scrape. */
export function createStateMetrics(registry: Registry, state: NodeState): void {
  byLabel(registry, {
    name: "berth_sandboxes",
    help: "Pod sandboxes by state: ready or notready.",
    label: "state",
    values: () => state.sandboxes(),
  });
  byLabel(registry, {
    name: "berth_containers",
    help: "Containers by state: created, running or exited.",
    label: "state",
    values: () => state.containers(),
  });
  byLabel(registry, {
    name: "berth_monitors",
    help: "Monitors of containers that have not ended: alive, or gone.",
    label: "state",
    values: () => state.monitors(),
  });
  single(registry, { name: "berth_images", help: "Images that are there whole.", value: () => state.images() });
  single(registry, {
    name: "berth_network_ready",
    help: "1 while pods can be given a network, as the CRI's NetworkReady.",
    value: () => Number(state.networkReady()),
  });
  byLabel(registry, {
    name: "berth_cni_attachments",
    help: "Network attachments that await their DEL; owner is sandbox, or none where the sandbox is gone or not yet whole.",
    label: "owner",
    values: () => state.attachments(),
  });
  single(registry, {
    name: "berth_event_subscribers",
    help: "Clients that are told of changes (GetContainerEvents).",
    value: () => state.events().subscribers,
  });
  single(registry, {
    name: "berth_event_queue_length",
    help: "Events that wait to be read, of all subscribers.",
    value: () => state.events().queued,
  });
  new Counter({
    name: "berth_events_dropped_total",
    help: "Events that subscribers have lost because they read too slowly.",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(state.events().dropped);
    },
  });
  spaceMetrics(registry, state);
}

function spaceMetrics(registry: Registry, state: NodeState): void {
  const kinds = async (pick: "usedBytes" | "inodesUsed") => {
    const { images, containers } = await state.used();
    return { images: images[pick], containers: containers[pick] };
  };
  byLabel(registry, {
    name: "berth_used_bytes",
    help: "Bytes that images take, and that containers have written; of containers as of 30 seconds ago or less.",
    label: "kind",
    values: () => kinds("usedBytes"),
  });
  byLabel(registry, {
    name: "berth_used_inodes",
    help: "Inodes that images take, and containers' writable layers.",
    label: "kind",
    values: () => kinds("inodesUsed"),
  });
  const places = (pick: "sizeBytes" | "availableBytes" | "inodes" | "inodesFree") => {
    const { root, state: live } = state.space();
    return { root: root[pick], state: live[pick] };
  };
  const filesystems = [
    ["size_bytes", "Bytes of the file system", "sizeBytes"],
    ["available_bytes", "Bytes that are left on the file system", "availableBytes"],
    ["inodes", "Inodes of the file system (0 where it has no limit)", "inodes"],
    ["inodes_free", "Inodes that are left on the file system", "inodesFree"],
  ] as const;
  for (const [suffix, what, pick] of filesystems) {
    byLabel(registry, {
      name: `berth_filesystem_${suffix}`,
      help: `${what} that the directory root or state lies on.`,
      label: "directory",
      values: () => places(pick),
    });
  }
}

interface ByLabel {
  name: string;
  help: string;
  label: string;
  values(): Record<string, number> | Promise<Record<string, number>>;
}

function byLabel(registry: Registry, { name, help, label, values }: ByLabel): void {
  new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    async collect() {
      for (const [key, value] of Object.entries(await values())) this.set({ [label]: key }, value);
    },
  });
}

function single(registry: Registry, { name, help, value }: { name: string; help: string; value(): number }): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}
