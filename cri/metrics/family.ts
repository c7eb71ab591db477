import { type Init, type Metric, type MetricDescriptor, MetricType } from "../../api/messages";

/** One value of a family; `labels` are those beyond the ones that all metrics have. */
export interface Sample {
  value: bigint;
  labels?: string[];
}

/** A metric by name, and how its values come out of what was read. */
export interface MetricFamily<Reading> {
  name: string;
  help: string;
  type: "counter" | "gauge";
  /** Labels beyond the common ones. */
  labels?: string[];
  /** Counted by that version of cgroups alone. */
  only?: "v2";
  read(reading: Reading): Sample[];
}

/** cAdvisor's labels (its metrics/prometheus.go, and the kubelet's for the last three). */
const commonLabels = ["id", "name", "image", "pod", "namespace", "container"] as const;

/** Whose metrics they are; the values of the common labels. */
export type Subject = Record<(typeof commonLabels)[number], string>;

export const descriptorOf = ({ name, help, labels = [] }: MetricFamily<never>): Init<MetricDescriptor> => ({
  name,
  help,
  labelKeys: [...commonLabels, ...labels],
});

/** What the families make of a reading; `timestamp` in ns since 1970. */
export function metricsOf<Reading>(
  families: readonly MetricFamily<Reading>[],
  { subject, reading, timestamp }: { subject: Subject; reading: Reading; timestamp: bigint },
): Init<Metric>[] {
  const common = commonLabels.map((label) => subject[label]);
  return families.flatMap((family) =>
    family.read(reading).map(({ value, labels = [] }) => ({
      name: family.name,
      timestamp,
      metricType: family.type === "counter" ? MetricType.COUNTER : MetricType.GAUGE,
      labelValues: [...common, ...labels],
      value: { value },
    })),
  );
}

/** The CRI's values are whole numbers, so that parts of a second are lost. */
export const wholeSeconds = (ns: bigint) => ns / 1_000_000_000n;

/** No sample of what could not be read. */
export const ifKnown = (value: bigint | undefined): Sample[] => (value === undefined ? [] : [{ value }]);
