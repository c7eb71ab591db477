// The images that the benchmark runs and pulls, made here: the same bytes each time.
import { busyboxEntries, SHELL } from "../images/busybox.cjs";
import { pauseSource } from "../images/critest.mjs";
import { makeImage, makeLayer } from "../images/image.cjs";
import { pushImage } from "../images/push.cjs";

const LAYERS = 10;
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

/** Bytes of which half is words, as scripts and documents are, and half has a pattern now and then, as programs do. */
function content(bytes, next, words) {
  const body = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; ) {
    const number = next();
    if (number & 0x40) at += words[number % words.length].copy(body, at);
    else for (let n = 0; n < 2 && at < bytes; n++, at += 4) body.writeUInt32LE(next(), Math.min(at, bytes - 4));
  }
  return body;
}

/** Files of all sizes in directories of a hundred, as many as fill a layer. */
function* files(layer, layerBytes) {
  const next = numbers(layer + 1);
  const words = Array.from({ length: 4096 }, () =>
    Buffer.from(
      `${next()
        .toString(36)
        .slice(0, 3 + (next() % 6))} `,
    ),
  );
  for (let total = 0, n = 0; total < layerBytes; n++) {
    if (n % 100 === 0) yield { path: `opt/layer-${layer}/${n / 100}`, type: "dir" };
    const bytes = Math.min(FILE_BYTES[next() % FILE_BYTES.length] + (next() % 100), layerBytes - total);
    yield {
      path: `opt/layer-${layer}/${Math.floor(n / 100)}/file-${n}`,
      body: content(Math.max(bytes, 4), next, words),
    };
    total += bytes;
  }
}

function bigImage(unpackedBytes, compression) {
  const layers = Array.from({ length: LAYERS }, (_, n) => {
    const directories = [
      { path: "opt", type: "dir" },
      { path: `opt/layer-${n}`, type: "dir" },
    ];
    return makeLayer([...directories, ...files(n, Math.floor(unpackedBytes / LAYERS))], compression);
  });
  return makeImage({ layers, config: SHELL });
}

/** Fills a registry; { small, gzip, zstd, compressedMib: of the last two } are references. */
export async function pushBenchImages({ url, address }, unpackedMib) {
  const push = async (repository, tag, image) => {
    await pushImage(url, repository, [tag], image);
    return `${address}/${repository}:${tag}`;
  };
  const small = makeImage({ layers: [makeLayer(busyboxEntries("/bin/busybox"))], config: SHELL });
  await push("pause", "3.10", makeImage(pauseSource("3.10")));
  const references = { small: await push("bench/busybox", "1", small), compressedMib: {} };
  for (const compression of ["gzip", "zstd"]) {
    const image = bigImage(unpackedMib * 2 ** 20, compression);
    references[compression] = await push("bench/big", compression, image);
    references.compressedMib[compression] = image.layers.reduce((sum, { size }) => sum + size, 0) / 2 ** 20;
  }
  return references;
}
