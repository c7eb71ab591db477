// The images that the benchmark runs and pulls, made here: the same bytes each time.
import { busyboxEntries, SHELL } from "../images/busybox.cjs";
import { pauseSource } from "../images/critest.mjs";
import { makeImage, makeLayer } from "../images/image.cjs";
import { pushImage } from "../images/push.cjs";
import { tar } from "../images/tar.cjs";

const LAYERS = 10;
/** So large that hardly a piece comes again within what a compressor looks back. */
const POOL_BYTES = 16 << 20;
const PIECE_BYTES = 1024;
const FILE_BYTES = [200, 2_000, 12_000, 40_000, 150_000, 900_000];

/** A source of the same numbers each time, below 2³² (xorshift). */
function numbers(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Text that compresses to a third or so, and random bytes that do not: every file is pieces of both. */
function pools(next) {
  const words = Array.from(
    { length: 4096 },
    () =>
      `${next()
        .toString(36)
        .slice(0, 3 + (next() % 6))} `,
  );
  let text = "";
  while (text.length < POOL_BYTES) text += words[next() % words.length];
  const random = Buffer.alloc(POOL_BYTES);
  for (let at = 0; at < random.length; at += 4) random.writeUInt32LE(next(), at);
  return [Buffer.from(text), random];
}

function content(bytes, next, sources) {
  const body = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; ) {
    const from = next() % (POOL_BYTES - PIECE_BYTES);
    at += sources[next() % 4 === 0 ? 1 : 0].copy(body, at, from, from + PIECE_BYTES);
  }
  return body;
}

/** Files of all sizes in directories of a hundred, as many as fill a layer. */
function* files(layer, layerBytes, { next, sources }) {
  yield { path: "opt", type: "dir" };
  yield { path: `opt/layer-${layer}`, type: "dir" };
  for (let total = 0, n = 0; total < layerBytes; n++) {
    const directory = `opt/layer-${layer}/${Math.floor(n / 100)}`;
    if (n % 100 === 0) yield { path: directory, type: "dir" };
    const bytes = Math.min(FILE_BYTES[next() % FILE_BYTES.length] + (next() % 100), layerBytes - total);
    yield { path: `${directory}/file-${n}`, body: content(bytes, next, sources) };
    total += bytes;
  }
}

/** An image of other files for each seed: a layer that is there already would not be fetched or not be unpacked. */
function bigImage(unpackedBytes, { seed, compression }) {
  const next = numbers(seed);
  const sources = pools(next);
  const layer = (n) => makeLayer(tar(files(n, Math.floor(unpackedBytes / LAYERS), { next, sources })), compression);
  return makeImage({ layers: Array.from({ length: LAYERS }, (_, n) => layer(n)), config: SHELL });
}

async function push({ url, address }, [repository, tag], image) {
  await pushImage(url, repository, [tag], image);
  return `${address}/${repository}:${tag}`;
}

/** Fills a registry with what pods are made of; the reference of the image of their containers. */
export async function pushSmallImages(registry) {
  await push(registry, ["pause", "3.10"], makeImage(pauseSource("3.10")));
  const small = makeImage({ layers: [makeLayer(busyboxEntries("/bin/busybox"))], config: SHELL });
  return push(registry, ["bench/busybox", "1"], small);
}

/**
 * Fills a registry with large images, one for each round: ext4 is slow to make files where others have just been removed,
 * so none is pulled twice. { gzip, zstd } are their references, compressedMib: { gzip, zstd }. This process has hundreds
 * of MiB after it, and forks slowly.
 */
export async function pushBigImages(registry, { unpackedMib, rounds }) {
  const references = { gzip: [], zstd: [], compressedMib: {} };
  let seed = 0;
  for (let round = 1; round <= rounds; round++)
    for (const compression of ["gzip", "zstd"]) {
      const image = bigImage(unpackedMib * 2 ** 20, { seed: ++seed, compression });
      references[compression].push(await push(registry, ["bench/big", `${compression}-${round}`], image));
      references.compressedMib[compression] = image.layers.reduce((sum, { size }) => sum + size, 0) / 2 ** 20;
    }
  return references;
}
