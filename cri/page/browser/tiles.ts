import type { NodeView } from "../model";
import { h, svg } from "./elements";
import { bytes, cores, percent } from "./format";

/** Three minutes. */
const historyLength = 90;
const [width, height] = [120, 28];

/** What was told before, for the small lines: the page itself remembers, the daemon does not. */
const history = new Map<string, number[]>();

/** The figures at the top. */
export function tiles(view: NodeView, callsPerSecond: number): HTMLElement[] {
  const containers = view.pods.flatMap((pod) => pod.containers);
  const running = containers.filter(({ state }) => state === "running");
  const sum = (values: (number | undefined)[]) => values.reduce<number>((total, each) => total + (each ?? 0), 0);
  const [cpu, memory] = [sum(running.map((each) => each.cpu)), sum(running.map((each) => each.memoryBytes))];
  const ready = view.pods.filter(({ isReady }) => isReady).length;
  const exited = containers.filter(({ state }) => state === "exited").length;
  return [
    tile("Pods ready", String(ready), `of ${view.pods.length}`),
    tile("Containers running", String(running.length), exited > 0 ? `${exited} exited` : `of ${containers.length}`),
    tile("CPU of containers", cores(cpu), "100 % is one processor", line("cpu", cpu)),
    tile("Memory of containers", bytes(memory), "working set", line("memory", memory)),
    tile("Calls a second", callsPerSecond.toFixed(1), "of the CRI", line("calls", callsPerSecond)),
    tile(
      "The daemon",
      bytes(view.node.memoryBytes),
      `memory; event subscribers: ${view.node.eventSubscribers}`,
      line("rss", view.node.memoryBytes),
    ),
    ...space(view),
  ];
}

/** The same file system once, even where both directories lie on it. */
function space({ space: all, used }: NodeView): HTMLElement[] {
  const [root, state] = all;
  const isOne = root && state && root.sizeBytes === state.sizeBytes && root.availableBytes === state.availableBytes;
  return (isOne ? [root] : all).map(({ directory, path, sizeBytes, availableBytes, inodesFreeShare }) => {
    const share = sizeBytes > 0 ? availableBytes / sizeBytes : 1;
    const level =
      share < 0.05 || inodesFreeShare < 0.02 ? "bad" : share < 0.15 || inodesFreeShare < 0.05 ? "warn" : "good";
    const own =
      directory === "root"
        ? `images ${bytes(used.imageBytes)}, written ${bytes(used.containerBytes)}`
        : `${percent(inodesFreeShare)} of inodes`;
    const note = `left, ${percent(share)}; ${own}`;
    const box = tile(`Space at ${path}`, bytes(availableBytes), note, meter(1 - share, level));
    box.title = `${percent(inodesFreeShare)} of inodes are left`;
    return box;
  });
}

function tile(name: string, value: string, note: string, picture?: Node): HTMLElement {
  return h(
    "div",
    { class: "tile" },
    h("div", { class: "name" }, name),
    h("div", { class: "value" }, value),
    h("div", { class: "note" }, note),
    picture,
  );
}

export function meter(share: number, level: string): HTMLElement {
  const bar = h("span", { class: level });
  bar.style.width = `${Math.min(1, Math.max(0, share)) * 100}%`;
  return h("div", { class: "meter" }, bar);
}

function line(name: string, value: number): SVGElement {
  const values = history.get(name) ?? [];
  values.push(value);
  if (values.length > historyLength) values.shift();
  history.set(name, values);
  const most = Math.max(...values, 1e-9);
  const at = (each: number, index: number) => {
    const x = width - ((values.length - 1 - index) / (historyLength - 1)) * width;
    return `${x.toFixed(1)},${(height - 2 - (each / most) * (height - 4)).toFixed(1)}`;
  };
  const points = values.map(at).join(" ");
  return svg(
    "svg",
    { class: "line", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("polyline", { points }),
  );
}
