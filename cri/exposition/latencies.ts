import type { LatencyView } from "../page/model";

/** One series of a histogram with the labels method and code, as prom-client gives them. */
export interface Series {
  metricName?: string;
  labels: Partial<Record<"method" | "code" | "le", string | number>>;
  value: number;
}

interface Counts {
  total: number;
  succeeded: number;
  /** Calls that succeeded within so many seconds, by bound, ascending. */
  buckets: [number, number][];
}

/** What a histogram tells of each method. */
export function latenciesOf(series: Series[]): LatencyView[] {
  const byMethod = new Map<string, Counts>();
  for (const { metricName = "", labels, value } of series) {
    const method = String(labels.method);
    const counts = byMethod.get(method) ?? { total: 0, succeeded: 0, buckets: [] };
    byMethod.set(method, counts);
    const isOk = labels.code === "OK";
    if (metricName.endsWith("_count")) {
      counts.total += value;
      if (isOk) counts.succeeded += value;
    } else if (metricName.endsWith("_bucket") && isOk && labels.le !== "+Inf") {
      counts.buckets.push([Number(labels.le), value]);
    }
  }
  return [...byMethod].map(([method, { total, succeeded, buckets }]) => {
    const at = (share: number) => quantile(buckets, share * succeeded);
    return { method, count: total, failed: total - succeeded, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
  });
}

/** Within a bucket calls are taken to lie evenly, as Prometheus does; past the last bound that bound is said. */
function quantile(buckets: [number, number][], rank: number): number {
  let [below, countBelow] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= rank && count > countBelow)
      return below + ((bound - below) * (rank - countBelow)) / (count - countBelow);
    [below, countBelow] = [bound, count];
  }
  return below;
}
