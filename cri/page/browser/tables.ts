import type { ContainerView, EventView, ImageView, LatencyView, NodeView, PodView } from "../model";
import { byId, fillTable, h } from "./elements";
import { age, bytes, clock, cores, seconds, shortId } from "./format";
import { meter } from "./tiles";

/** Pods, newest first, each with its containers; `filter` in lower case. */
export function showPods({ pods, node }: NodeView, filter: string): void {
  const newest = pods.toSorted((a, b) => b.createdAtMs - a.createdAtMs);
  const rows = newest.flatMap((pod) => {
    const isWhole = matches(filter, [pod.name, pod.namespace, pod.id, pod.ip, pod.isReady ? "ready" : "notready"]);
    const shown = pod.containers.filter(
      (each) => isWhole || matches(filter, [each.name, each.image, each.id, each.state, each.reason]),
    );
    if (!isWhole && shown.length === 0) return [];
    return [podRow(pod, node.nowMs), ...shown.map((each) => containerRow(each, node.nowMs))];
  });
  const empty = pods.length === 0 ? "No pods on this node." : "Nothing matches the filter.";
  if (rows.length === 0) rows.push(h("tr", { class: "empty" }, h("td", { colspan: 7 }, empty)));
  fillTable(
    byId("pods"),
    [
      "Pod, container",
      "State",
      "Image, address",
      ["CPU", "number"],
      ["Memory", "number"],
      ["Written", "number"],
      ["Age", "number"],
    ],
    rows,
  );
}

const matches = (filter: string, texts: string[]) =>
  filter === "" || texts.some((text) => text.toLowerCase().includes(filter));

function podRow(pod: PodView, nowMs: number): HTMLElement {
  const state = pod.isReady ? badge("ready", "good") : badge("not ready", "idle");
  const sum = (pick: (container: ContainerView) => number | undefined) => {
    const known = pod.containers.map(pick).filter((each) => each !== undefined);
    return known.length > 0 ? known.reduce((total, each) => total + each, 0) : undefined;
  };
  return h(
    "tr",
    { class: "pod", title: pod.id },
    h("td", {}, h("span", { class: "namespace" }, `${pod.namespace}/`), pod.name),
    h("td", {}, state),
    h("td", { class: "mono" }, pod.ip || "host network"),
    h("td", { class: "number" }, cores(sum((each) => each.cpu))),
    h("td", { class: "number" }, bytes(sum((each) => each.memoryBytes))),
    h("td", { class: "number" }, bytes(sum((each) => each.writtenBytes))),
    h("td", { class: "number" }, age(nowMs - pod.createdAtMs)),
  );
}

function containerRow(container: ContainerView, nowMs: number): HTMLElement {
  const { state, reason, exitCode } = container;
  const ended = `${reason.toLowerCase()} ${exitCode}`;
  const level = state === "running" ? "good" : state === "created" ? "warn" : exitCode === 0 ? "idle" : "bad";
  return h(
    "tr",
    { class: "container", title: container.id },
    h("td", {}, container.name, container.attempt > 0 && h("span", { class: "note" }, ` restart ${container.attempt}`)),
    h("td", {}, badge(state === "exited" ? ended : state, level)),
    h("td", { class: "image" }, container.image),
    h("td", { class: "number" }, cores(container.cpu)),
    h("td", { class: "number" }, bytes(container.memoryBytes)),
    h("td", { class: "number" }, bytes(container.writtenBytes)),
    h("td", { class: "number" }, age(nowMs - container.sinceMs)),
  );
}

export const badge = (text: string, level: string): HTMLElement => h("span", { class: `badge ${level}` }, text);

export function showImages(images: ImageView[], nowMs: number): void {
  const largest = Math.max(...images.map(({ sizeBytes }) => sizeBytes), 1);
  const bySize = images.toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  const rows = bySize.map(({ id, names, sizeBytes, pulledAtMs, containers }) =>
    h(
      "tr",
      { title: id },
      h(
        "td",
        { class: "image" },
        names[0] ?? shortId(id),
        names.length > 1 && h("span", { class: "note" }, ` and ${names.length - 1} more`),
      ),
      h("td", {}, meter(sizeBytes / largest, "plain")),
      h("td", { class: "number" }, bytes(sizeBytes)),
      h("td", { class: "number" }, containers > 0 ? String(containers) : "–"),
      h("td", { class: "number" }, age(nowMs - pulledAtMs)),
    ),
  );
  if (rows.length === 0) rows.push(h("tr", { class: "empty" }, h("td", { colspan: 5 }, "No images on this node.")));
  fillTable(
    byId("images"),
    ["Image", ["", "wide"], ["Size", "number"], ["Used by", "number"], ["Pulled", "number"]],
    rows,
  );
  const unused = images.filter(({ containers }) => containers === 0).length;
  byId("images-note").textContent = `${images.length}, of which ${unused} used by no container`;
}

/** From 0.1 ms to 100 s. */
const decades = { from: -4, to: 2 };
const position = (value: number) => (Math.log10(Math.max(value, 1e-4)) - decades.from) / (decades.to - decades.from);

export function showLatencies(latencies: LatencyView[]): void {
  const rows = latencies
    .toSorted((a, b) => b.count - a.count)
    .map(({ method, count, failed, p50, p90, p99 }) => {
      const isKnown = count > failed;
      const range = h("span", { class: "range" });
      const middle = h("span", { class: "middle" });
      if (isKnown) {
        range.style.left = `${position(p50) * 100}%`;
        range.style.width = `${Math.max(1, (position(p99) - position(p50)) * 100)}%`;
        middle.style.left = `${position(p50) * 100}%`;
      }
      const time = (value: number) => h("td", { class: "number" }, isKnown ? seconds(value) : "–");
      return h(
        "tr",
        {},
        h("td", {}, method),
        h("td", { class: "number" }, count.toLocaleString()),
        h("td", { class: failed > 0 ? "number failed" : "number" }, failed > 0 ? failed.toLocaleString() : "–"),
        h(
          "td",
          {},
          h(
            "div",
            { class: "scale", title: "from the median to the 99th percentile" },
            isKnown && range,
            isKnown && middle,
          ),
        ),
        time(p50),
        time(p90),
        time(p99),
      );
    });
  if (rows.length === 0) rows.push(h("tr", { class: "empty" }, h("td", { colspan: 7 }, "No calls yet.")));
  fillTable(
    byId("latencies"),
    [
      "Call",
      ["Count", "number"],
      ["Failed", "number"],
      ["0.1 ms to 100 s", "wide"],
      ["50 %", "number"],
      ["90 %", "number"],
      ["99 %", "number"],
    ],
    rows,
  );
}

const mostEvents = 200;
const levels: Record<string, string> = { created: "warn", started: "good", stopped: "idle", deleted: "idle" };

/** Of containers that have been seen: one that is gone has a name no more. */
const containerNames = new Map<string, string>();

/** Adds one at the top. */
export function showEvent(event: EventView): void {
  const name = event.container || (containerNames.get(event.id) ?? shortId(event.id));
  if (event.what === "deleted") containerNames.delete(event.id);
  else containerNames.set(event.id, name);
  const list = byId("events");
  list.querySelector(".empty")?.remove();
  const failed = event.reason !== "" && !event.reason.startsWith("Completed");
  list.prepend(
    h(
      "li",
      { title: event.id },
      h("time", {}, clock(event.atMs)),
      badge(event.what, failed ? "bad" : (levels[event.what] ?? "idle")),
      h("span", { class: "subject" }, event.isPod ? event.pod : `${event.pod} · ${name}`),
      event.reason !== "" && h("span", { class: "note" }, event.reason),
    ),
  );
  while (list.childElementCount > mostEvents) list.lastElementChild!.remove();
}
