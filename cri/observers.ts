import type { PluginOutcome } from "../cni/observed-plugin";
import type { ImageObserver } from "../images/image-observer";
import type { Metrics } from "./exposition/metrics";
import type { Tracing } from "./tracing/tracing";

/** Hands what the rooms tell to those of metrics and tracing that are there. */
export function observersFor({ metrics, tracing }: { metrics?: Metrics; tracing?: Tracing }) {
  const images: ImageObserver = {
    pullStarted: () => metrics?.images.pullStarted(),
    pullEnded(outcome) {
      metrics?.images.pullEnded(outcome);
      tracing?.pulled(outcome);
    },
    received: (bytes) => metrics?.images.received(bytes),
    collected: (removed) => metrics?.images.collected(removed),
  };
  const cni = (outcome: PluginOutcome) => {
    metrics?.cni(outcome);
    tracing?.cni(outcome);
  };
  return { images, cni };
}
