import type { ChainId, Digest } from "../api/ids";
import { Leases, type Touched } from "./leases";

const blob = `sha256:${"a".repeat(64)}` as Digest;
const layer = `sha256:${"b".repeat(64)}` as ChainId;

test("what was touched when an operation ran is held until the last one ends", () => {
  const leases = new Leases();
  leases.touchBlob(blob);
  expect(leases.holdsBlob(blob)).toBe(false);
  const first = leases.begin();
  leases.touchBlob(blob);
  leases.touchLayer(layer);
  const second = leases.begin();
  first();
  first();
  expect([leases.holdsBlob(blob), leases.holdsLayer(layer)]).toEqual([true, true]);
  expect([leases.holdsBlob(layer), leases.holdsLayer(blob)]).toEqual([false, false]);
  second();
  expect([leases.holdsBlob(blob), leases.holdsLayer(layer)]).toEqual([false, false]);
});

test("onIdle() calls its listener when the last operation ends, with what was touched since the one before", () => {
  const leases = new Leases();
  const told: Touched[] = [];
  leases.onIdle((touched) => told.push(touched));
  const [first, second] = [leases.begin(), leases.begin()];
  leases.touchBlob(blob);
  first();
  leases.touchLayer(layer);
  expect(told).toEqual([]);
  second();
  leases.begin()();
  expect(told).toEqual([
    { blobs: new Set([blob]), layers: new Set([layer]) },
    { blobs: new Set(), layers: new Set() },
  ]);
});
