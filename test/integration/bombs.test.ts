import fs from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { Layer } from "../../hack/images/image.cjs";
import { Client } from "../../cri/client/client";
import { makeImage, makeLayer } from "../support/images";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { eventually } from "../support/pods";
import { type TestRegistry, testRegistry } from "../support/registry";

/** Layers that are small to fetch and huge to unpack, at the size that they would have. Small ones: layer-faults.test.ts */
const isFull = process.env["BERTH_FULL"] === "1";
if (!isFull) console.warn("bombs of full size are left to `npm run faults`: they write gigabytes and a million files");
jest.setTimeout(600_000);

const mostGrowthKb = 256 << 10;
const gibibyte = 2 ** 30;

let registry: TestRegistry;
let daemon: TestDaemon;
let client: Client;

(isFull ? describe : describe.skip)("a pull", () => {
  beforeAll(async () => {
    registry = await testRegistry();
    daemon = await startDaemon({ registry: registry.url });
    client = new Client(daemon.socket);
  }, 60_000);

  afterAll(async () => {
    client?.close();
    await daemon?.remove();
    await registry?.stop();
  });

  test("of 10 GB of zeros in 10 MB is refused, with memory bounded and the space given back", async () => {
    // members of a gzip file one after the other are one file
    const zeros = gzipSync(Buffer.alloc(64 << 20));
    const header = gzipSync(headerOf("zeros", 10 * gibibyte));
    const layer = rawLayer(Buffer.concat([header, ...Array.from({ length: 160 }, () => zeros)]));
    const before = usedBytes();
    await expect(pull("bombs/zeros", layer)).rejects.toMatchObject({ code: "ResourceExhausted" });
    await client.berth("CollectGarbage", { images: false, minAgeS: 0n });
    const isGivenBack = (bytes: number) => bytes - before < 64 << 20;
    expect(await eventually(usedBytes, isGivenBack)).toBeLessThan(before + (64 << 20));
  });

  test("of a PAX header that says a gibibyte is refused at once", async () => {
    const layer = rawLayer(gzipSync(Buffer.concat([headerOf("x", gibibyte, "x"), Buffer.alloc(1 << 20, "1")])));
    await expect(pull("bombs/pax", layer)).rejects.toMatchObject({
      code: expect.stringMatching(/InvalidArgument|ResourceExhausted/),
    });
  });

  test("of a million empty files has memory bounded, and they go with the image", async () => {
    const count = 1_000_000;
    const tar = Buffer.alloc(count * 512 + 1024);
    for (let index = 0; index < count; index++) headerOf(`d${index % 1000}/f${index}`, 0).copy(tar, index * 512);
    const image = await pull("bombs/files", makeLayer(tar, "gzip"));
    const before = fs.statfsSync(daemon.root).ffree;
    await client.image("RemoveImage", { image: { image } });
    await client.berth("CollectGarbage", { images: false, minAgeS: 0n });
    expect(fs.statfsSync(daemon.root).ffree - before).toBeGreaterThan(count * 0.9);
  });
});

/** Pulls an image of one layer, and looks at the daemon's memory meanwhile. Its reference. */
async function pull(repository: string, layer: Layer): Promise<string> {
  const image = await registry.push(repository, makeImage({ layers: [layer] }));
  const before = residentKb();
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, residentKb());
  }, 50);
  try {
    await client.image("PullImage", { image: { image } }, { timeoutMs: 500_000 });
    return image;
  } finally {
    clearInterval(watch);
    console.info(`${repository}: the daemon grew by ${(most - before) >> 10} MiB`);
    expect(most - before).toBeLessThan(mostGrowthKb);
  }
}

/** A layer whose tar nobody has read as a whole: what the configuration calls it is wrong. */
const rawLayer = (bytes: Buffer): Layer => {
  const { digest, size } = makeLayer(bytes, "none");
  return { bytes, compression: "gzip", diffId: digest, digest, size };
};

const residentKb = () =>
  Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${daemon.child!.pid}/status`, "utf8"))![1]);

const usedBytes = () => {
  const { blocks, bfree, bsize } = fs.statfsSync(daemon.root);
  return (blocks - bfree) * bsize;
};

/** A header of ustar; sizes past 8 GiB are in base 256, as GNU writes them. */
function headerOf(name: string, sizeBytes: number, type = "0"): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write(`0000644\0${"0000000\0".repeat(2)}`, 100);
  if (sizeBytes < 8 * gibibyte) {
    header.write(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124);
  } else {
    header.writeUInt32BE(0x80_00_00_00, 124);
    header.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  header.write(`${"0".repeat(11)}\0${" ".repeat(8)}${type}`, 136);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}
