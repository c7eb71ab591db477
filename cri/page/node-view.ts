import os from "node:os";
import { type ContainerStats, ContainerState, type Init, PodSandboxState } from "../../api/messages";
import type { NodeState } from "../exposition/node-state";
import { currentState } from "../sandbox/status";
import type { Services } from "../services";
import { containerStats } from "../stats/container-stats";
import type { Container } from "../store/container";
import { version } from "../version";
import type { ContainerView, ImageView, LatencyView, NodeView, PodView } from "./model";

export interface NodeViewModules {
  services: Services;
  state: NodeState;
  latencies(): Promise<LatencyView[]>;
}

const msOf = (ns: string | undefined) => Number(BigInt(ns ?? 0) / 1_000_000n);

/** All that the page shows. Neither environments nor annotations are in it: there are secrets among them. */
export async function nodeView({ services, state, latencies }: NodeViewModules): Promise<NodeView> {
  const { store, networks, runtimes, cgroups, cgroupDriver, config } = services;
  const containers = store.containers.list();
  const stats = await containerStats(services, containers);
  const statsOf = new Map(stats.map((each) => [each.attributes?.id, each]));
  const network = networks.status();
  const [used, calls] = await Promise.all([state.used(), latencies()]);
  return {
    node: {
      hostname: os.hostname(),
      version,
      nodeVersion: process.version,
      handler: runtimes.defaultName,
      cgroups: `${cgroups.version}, ${cgroupDriver}`,
      network: { ready: network.ready, name: networks.networkName() ?? "", message: network.message },
      startedAtMs: Date.now() - process.uptime() * 1000,
      nowMs: Date.now(),
      memoryBytes: process.memoryUsage.rss(),
      eventSubscribers: state.events().subscribers,
    },
    pods: store.sandboxes.list().map((sandbox): PodView => {
      const { metadata } = sandbox.config;
      return {
        id: sandbox.id,
        name: metadata?.name ?? "",
        namespace: metadata?.namespace ?? "",
        isReady: currentState(services, sandbox) === PodSandboxState.SANDBOX_READY,
        ip: sandbox.record.ips.join(", "),
        createdAtMs: msOf(sandbox.record.createdAtNs),
        containers: containers
          .filter(({ record }) => record.sandboxId === sandbox.id)
          .map((container) => containerView(container, statsOf.get(container.id))),
      };
    }),
    images: images(services),
    space: Object.entries(state.space()).map(([directory, { sizeBytes, availableBytes, inodes, inodesFree }]) => ({
      directory,
      path: config[directory as "root" | "state"],
      sizeBytes,
      availableBytes,
      inodesFreeShare: inodes > 0 ? inodesFree / inodes : 1,
    })),
    used: { imageBytes: used.images.usedBytes, containerBytes: used.containers.usedBytes },
    latencies: calls,
  };
}

const states: Record<number, ContainerView["state"]> = {
  [ContainerState.CONTAINER_CREATED]: "created",
  [ContainerState.CONTAINER_RUNNING]: "running",
  [ContainerState.CONTAINER_EXITED]: "exited",
};

function containerView({ record, config, state }: Container, stats: Init<ContainerStats> | undefined): ContainerView {
  const { exit } = record;
  const number = (value: { value?: bigint } | null | undefined) => (value ? Number(value.value ?? 0n) : undefined);
  const nanoCores = number(stats?.cpu?.usageNanoCores);
  return {
    id: record.id,
    name: config.metadata?.name ?? "",
    image: record.image.name,
    state: states[state] ?? "exited",
    reason: exit?.reason ?? "",
    exitCode: exit?.code ?? 0,
    attempt: config.metadata?.attempt ?? 0,
    sinceMs: msOf(exit?.finishedAtNs ?? record.startedAtNs ?? record.createdAtNs),
    ...(nanoCores === undefined ? {} : { cpu: nanoCores / 1e9 }),
    memoryBytes: number(stats?.memory?.workingSetBytes),
    writtenBytes: number(stats?.writableLayer?.usedBytes),
  };
}

function images({ images: all, store }: Services): ImageView[] {
  const users = new Map<string, number>();
  for (const { record } of store.containers.list()) users.set(record.image.id, (users.get(record.image.id) ?? 0) + 1);
  return all.list().map(({ id, tags, digests, sizeBytes, pulledAtNs }) => ({
    id,
    names: tags.length > 0 ? tags : digests,
    sizeBytes,
    pulledAtMs: msOf(pulledAtNs),
    containers: users.get(id) ?? 0,
  }));
}
