/** What the page is told; numbers and texts alone, so that it travels as JSON. Types only, shared with the browser. */
export interface NodeView {
  node: {
    hostname: string;
    version: string;
    nodeVersion: string;
    handler: string;
    cgroups: string;
    network: { ready: boolean; name: string; message: string };
    startedAtMs: number;
    nowMs: number;
    /** Of the daemon. */
    memoryBytes: number;
    eventSubscribers: number;
  };
  pods: PodView[];
  images: ImageView[];
  space: { directory: string; path: string; sizeBytes: number; availableBytes: number; inodesFreeShare: number }[];
  used: { imageBytes: number; containerBytes: number };
  latencies: LatencyView[];
}

export interface PodView {
  id: string;
  name: string;
  namespace: string;
  isReady: boolean;
  ip: string;
  createdAtMs: number;
  containers: ContainerView[];
}

export interface ContainerView {
  id: string;
  name: string;
  image: string;
  state: "created" | "running" | "exited";
  /** Of one that has ended: why, and its exit code. */
  reason: string;
  exitCode: number;
  attempt: number;
  sinceMs: number;
  /** Processors in use; absent where it is not known yet. */
  cpu?: number;
  memoryBytes?: number;
  writtenBytes?: number;
}

export interface ImageView {
  id: string;
  names: string[];
  sizeBytes: number;
  pulledAtMs: number;
  containers: number;
}

export interface LatencyView {
  method: string;
  count: number;
  failed: number;
  /** Seconds; of calls that succeeded, as near as the histogram's buckets tell. */
  p50: number;
  p90: number;
  p99: number;
}

export interface EventView {
  atMs: number;
  /** created, started, stopped or deleted. */
  what: string;
  isPod: boolean;
  id: string;
  pod: string;
  container: string;
  reason: string;
}
