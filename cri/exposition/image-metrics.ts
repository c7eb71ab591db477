import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { ImageObserver } from "../../images/image-observer";

const mebibyte = 1 << 20;

export function createImageMetrics(registry: Registry): ImageObserver {
  const registers = [registry];
  const underWay = new Gauge({
    name: "berth_image_pulls_in_progress",
    help: "Pulls that are under way.",
    registers,
  });
  const durations = new Histogram({
    name: "berth_image_pull_duration_seconds",
    help: "Seconds from a pull's start until the image is unpacked; result is OK or the kind of failure.",
    labelNames: ["result"],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
    registers,
  });
  const bytes = new Counter({
    name: "berth_image_pull_bytes_total",
    help: "Bytes of blobs that came from registries.",
    registers,
  });
  const throughput = new Histogram({
    name: "berth_image_pull_throughput_bytes_per_second",
    help: "Bytes fetched by each pull that fetched some, over the seconds that the whole pull took.",
    buckets: [0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500].map((each) => each * mebibyte),
    registers,
  });
  const runs = new Counter({
    name: "berth_image_gc_runs_total",
    help: "How often unused blobs and layers were looked for.",
    registers,
  });
  const removed = new Counter({
    name: "berth_image_gc_removed_total",
    help: "What was removed because nothing used it; kind is blob or layer.",
    labelNames: ["kind"],
    registers,
  });
  return {
    pullStarted: () => underWay.inc(),
    pullEnded(outcome) {
      underWay.dec();
      durations.observe({ result: outcome.code }, outcome.seconds);
      if (outcome.code === "OK" && outcome.bytes > 0) throughput.observe(outcome.bytes / outcome.seconds);
    },
    received: (count) => bytes.inc(count),
    collected({ blobs, layers }) {
      runs.inc();
      removed.inc({ kind: "blob" }, blobs);
      removed.inc({ kind: "layer" }, layers);
    },
  };
}
