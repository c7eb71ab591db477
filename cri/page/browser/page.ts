import type { EventView, NodeView } from "../model";
import { byId, h } from "./elements";
import { age } from "./format";
import { badge, showEvent, showImages, showLatencies, showPods } from "./tables";
import { tiles } from "./tiles";

const everyMs = 2000;

let view: NodeView | undefined;
let lastCalls: { count: number; atMs: number } | undefined;
const filter = byId("filter") as HTMLInputElement;

async function refresh(): Promise<void> {
  try {
    const answer = await fetch("/api/node");
    if (!answer.ok) throw new Error(`the daemon answers ${answer.status}`);
    view = (await answer.json()) as NodeView;
    show(view);
    connection("live", "good");
  } catch (error) {
    connection(`no answer: ${error instanceof Error ? error.message : String(error)}`, "bad");
  }
}

function show(now: NodeView): void {
  const { node } = now;
  document.title = `${node.hostname} – Berth`;
  byId("hostname").textContent = node.hostname;
  const network = node.network.ready ? badge(`network ${node.network.name}`, "good") : badge("no network", "bad");
  network.title = node.network.message;
  byId("chips").replaceChildren(
    network,
    ...[
      `Berth ${node.version}`,
      `handler ${node.handler}`,
      `cgroup ${node.cgroups}`,
      `Node.js ${node.nodeVersion}`,
    ].map((text) => h("span", { class: "chip" }, text)),
    h("span", { class: "chip" }, `up ${age(node.nowMs - node.startedAtMs)}`),
  );
  byId("tiles").replaceChildren(...tiles(now, callsPerSecond(now)));
  showPods(now, filter.value.trim().toLowerCase());
  showImages(now.images, node.nowMs);
  showLatencies(now.latencies);
}

function callsPerSecond({ latencies, node }: NodeView): number {
  const count = latencies.reduce((sum, each) => sum + each.count, 0);
  const before = lastCalls;
  lastCalls = { count, atMs: node.nowMs };
  // a daemon that was started anew counts from 0
  if (!before || count < before.count || node.nowMs <= before.atMs) return 0;
  return ((count - before.count) * 1000) / (node.nowMs - before.atMs);
}

function connection(text: string, level: string): void {
  byId("connection").replaceChildren(badge(text, level));
}

filter.addEventListener("input", () => {
  if (view) showPods(view, filter.value.trim().toLowerCase());
});
const events = new EventSource("/api/events");
events.addEventListener("message", ({ data }) => {
  showEvent(JSON.parse(data as string) as EventView);
});
byId("events").append(h("li", { class: "empty" }, "Nothing has happened yet."));

async function poll(): Promise<void> {
  // nobody looks at a hidden page
  if (!document.hidden) await refresh();
  setTimeout(poll, everyMs);
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
poll();
