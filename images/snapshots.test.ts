import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { newContainerId } from "../api/ids";
import { RecordingMounts } from "../sys/mounts";
import { Snapshots } from "./snapshots";

let base = "";
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), "berth-snapshots-"));
});
afterEach(() => fs.rmSync(base, { recursive: true }));

const label = "system_u:object_r:container_file_t:s0:c1,c2";

describe("Snapshots", () => {
  test("mounts with the label that is asked for, one layer alone too", async () => {
    const mounts = new RecordingMounts();
    const snapshots = new Snapshots(base, { mounts, report: () => {} });
    await snapshots.open();
    const layer = path.join(base, "layer");
    fs.mkdirSync(layer);
    const id = newContainerId();
    await snapshots.prepare({ id, chainIds: [], layers: [layer], target: "/t", label });
    snapshots.mountReadOnly({ chainIds: [], layers: [layer], target: "/u", label });
    expect(mounts.calls).toEqual([
      `overlay /t lower=${layer} upper=${base}/${id}/upper labelled ${label} volatile`,
      `overlay /u lower=${layer}:${base}/.empty upper= labelled ${label}`,
    ]);
  });
});
