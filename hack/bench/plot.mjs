// Line plots as SVG, in colours that can be read on a light page and on a dark one.

const COLOURS = ["#2f81f7", "#db6d28", "#8957e5"];
const GREY = "#848d97";
const [WIDTH, HEIGHT] = [640, 360];
const MARGIN = { left: 64, right: 150, top: 40, bottom: 48 };

/** Round numbers from 0 to at least `most`, five steps or so. */
function ticks(most) {
  const raw = most / 5;
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * magnitude).find((n) => n >= raw);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, n) => n * step);
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const text = (x, y, content, more = "") => `<text x="${x}" y="${y}" ${more}>${escaped(content)}</text>`;

/**
 * One plot over the number of pods, both axes linear.
 * @param series [{ name, points: [[pods, value], ...] }]
 */
export function plot({ title, unit, series }) {
  const points = series.flatMap((one) => one.points);
  const mostPods = Math.max(...points.map(([pods]) => pods), 1);
  const marks = ticks(Math.max(...points.map(([, value]) => value), 1e-9));
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const x = (pods) => Math.round(MARGIN.left + (inner.width * pods) / mostPods);
  const y = (value) => Math.round(MARGIN.top + inner.height * (1 - value / marks.at(-1)));
  const grid = marks.flatMap((mark) => [
    `<path d="M${x(0)} ${y(mark)}H${x(mostPods)}" stroke="${GREY}" stroke-opacity="0.35"/>`,
    text(x(0) - 8, y(mark) + 4, String(Number(mark.toPrecision(6))), 'text-anchor="end"'),
  ]);
  const pods = [...new Set(points.map(([n]) => n))].sort((a, b) => a - b);
  // 1 and 10 of 300 would be written over one another
  const labelled = pods.filter((n, at) => at === 0 || x(n) - x(pods[at - 1]) > 24 || n === mostPods);
  const axis = labelled.map((n) => text(x(n), HEIGHT - MARGIN.bottom + 20, String(n), 'text-anchor="middle"'));
  const lines = series.flatMap(({ name, points: own }, at) => {
    const colour = COLOURS[at % COLOURS.length];
    const path = own.map(([n, value], first) => `${first ? "L" : "M"}${x(n)} ${y(value)}`).join("");
    const label = MARGIN.top + 12 + at * 22;
    return [
      `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...own.map(([n, value]) => `<circle cx="${x(n)}" cy="${y(value)}" r="3.5" fill="${colour}"/>`),
      `<path d="M${WIDTH - MARGIN.right + 14} ${label - 4}h20" stroke="${colour}" stroke-width="3"/>`,
      text(WIDTH - MARGIN.right + 40, label, name),
    ];
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="${GREY}">`,
    `<title>${escaped(`${title}, ${unit}`)} by number of pods</title>`,
    text(MARGIN.left, 22, `${title}, ${unit}`, 'font-size="14"'),
    ...grid,
    ...axis,
    text(x(mostPods / 2), HEIGHT - 10, "pods", 'text-anchor="middle"'),
    ...lines,
    "</svg>",
  ].join("\n")}\n`;
}
