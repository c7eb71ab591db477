const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count: number | undefined): string {
  if (count === undefined) return "–";
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toPrecision(3)} ${byteUnits[unit]}`;
}

export function seconds(value: number): string {
  // the histogram tells no less
  if (value < 0.001) return "< 1 ms";
  if (value < 1) return `${(value * 1000).toPrecision(value < 0.1 ? 2 : 3)} ms`;
  return value < 60 ? `${value.toPrecision(3)} s` : `${(value / 60).toFixed(1)} min`;
}

/** "3 min", of a span in ms. */
export function age(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

export const cores = (value: number | undefined): string =>
  value === undefined ? "–" : `${(value * 100).toFixed(1)} %`;

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

export const shortId = (id: string): string => id.replace("sha256:", "").slice(0, 13);

export const clock = (ms: number): string => new Date(ms).toLocaleTimeString(undefined, { hour12: false });
