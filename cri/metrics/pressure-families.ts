import type { Pressure, PressureKind } from "../../sys/cgroup-pressure";
import { ifKnown, type MetricFamily, wholeSeconds } from "./family";

type Family = MetricFamily<{ pressure: Record<PressureKind, Pressure | undefined> }>;

const congested: [PressureKind, string][] = [
  ["cpu", "CPU"],
  ["memory", "memory"],
  ["io", "IO"],
];

export const pressureFamilies: Family[] = congested.flatMap(([kind, name]): Family[] => [
  {
    name: `container_pressure_${kind}_stalled_seconds_total`,
    help: `Total time duration no tasks in the container could make progress due to ${name} congestion.`,
    type: "counter",
    read: ({ pressure }) => ifKnown(pressure[kind]?.full && wholeSeconds(pressure[kind].full.totalNs)),
  },
  {
    name: `container_pressure_${kind}_waiting_seconds_total`,
    help: `Total time duration tasks in the container have waited due to ${name} congestion.`,
    type: "counter",
    read: ({ pressure }) => ifKnown(pressure[kind]?.some && wholeSeconds(pressure[kind].some.totalNs)),
  },
]);
