import { expect, test } from "@jest/globals";
import type { DiskUsage } from "../../images/disk-usage";
import type { Container } from "../store/container";
import { WritableLayers } from "./writable-layers";

const container = { id: "c" } as Container;

test("usage() counts once for all who ask at the same time, and not again for a while", async () => {
  let walks = 0;
  const layers = new WritableLayers({
    mountpoint: "/root",
    measure: async () => {
      walks++;
      await new Promise((resolve) => setTimeout(resolve, 10));
      return { usedBytes: 4096, inodes: 2 };
    },
  });
  const [first] = await Promise.all([layers.usage(container), layers.usage(container)]);
  await layers.usage(container);
  expect(walks).toBe(1);
  expect(first).toMatchObject({
    fsId: { mountpoint: "/root" },
    usedBytes: { value: 4096n },
    inodesUsed: { value: 2n },
  });
});

test("usage() does not wait for a walk that takes long, and has its answer the next time", async () => {
  let finish = (_usage: DiskUsage) => {};
  const measured = new Promise<DiskUsage>((resolve) => {
    finish = resolve;
  });
  const layers = new WritableLayers({ mountpoint: "/root", measure: () => measured });
  expect(await layers.usage(container)).toBeNull();
  finish({ usedBytes: 1, inodes: 1 });
  await measured;
  expect(await layers.usage(container)).not.toBeNull();
});

test("usage() of a layer that is gone is null", async () => {
  const layers = new WritableLayers({ mountpoint: "/root", measure: () => Promise.reject(new Error("gone")) });
  expect(await layers.usage(container)).toBeNull();
});
