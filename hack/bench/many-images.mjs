// What calls take with many images on a node: of one image, and of all.
import http from "node:http";
import { busyboxEntries, SHELL } from "../images/busybox.cjs";
import { makeImage, makeLayer } from "../images/image.cjs";
import { memory } from "./processes.mjs";

const PULLS_AT_ONCE = 8;
/** Calls of each kind that are timed. */
const TIMES = 20;

/** Images of a layer that all have and one of their own, by number; each is made when it is asked for. */
class ManyImages {
  #shared = makeLayer(busyboxEntries("/bin/busybox"));
  /** { bytes, mediaType } by digest. */
  #contents = new Map();

  manifest(tag) {
    const own = makeLayer([{ path: `image-${tag}`, body: tag }]);
    const image = makeImage({ layers: [this.#shared, own], config: { ...SHELL, Labels: { image: tag } } });
    for (const one of [image, ...image.blobs]) this.#contents.set(one.digest, one);
    return image;
  }

  content(digest) {
    return this.#contents.get(digest);
  }
}

/** Serves them (OCI distribution spec, "Pull"); { address, url, close }. */
async function serve(images) {
  const server = http.createServer(({ method, url }, response) => {
    if (url === "/v2/") return response.end();
    const [, kind, reference] = /^\/v2\/many\/image\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? [];
    const isTag = kind === "manifests" && !reference.includes(":");
    const found = isTag ? images.manifest(reference) : images.content(reference);
    if (!found) return response.writeHead(404).end();
    response.writeHead(200, {
      "content-type": found.mediaType,
      "content-length": found.bytes.length,
      "docker-content-digest": found.digest,
    });
    response.end(method === "HEAD" ? undefined : found.bytes);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${server.address().port}`;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { address, url: `http://${address}`, close };
}

/** Calls of one image's, and of all images'; each is given the name of one that is there and of one that is not. */
const CALLS = {
  "ImageStatus by name": (client, { there }) => client.image("ImageStatus", { image: { image: there } }),
  "PullImage, there already": (client, { there }) => client.image("PullImage", { image: { image: there } }),
  "PullImage, one more": (client, { absent }) => client.image("PullImage", { image: { image: absent } }),
  "RemoveImage, that one": (client, { absent }) => client.image("RemoveImage", { image: { image: absent } }),
  ListImages: (client) => client.image("ListImages", {}),
  ImageFsInfo: (client) => client.image("ImageFsInfo", {}),
};

/**
 * By number of images { times: milliseconds by call, podUp, start, mib } of a runtime that has none yet.
 * @param source { counts, makeOne, signal, say }: makeOne({ registry, image }) gives a Measured whose pods are of `image`
 */
export async function measureImages({ counts, makeOne, signal, say }) {
  const server = await serve(new ManyImages());
  const name = (tag) => `${server.address}/many/image:${tag}`;
  const results = new Map();
  let pulled = 0;
  try {
    const one = await makeOne({ registry: server.url, image: name("0") });
    for (const count of counts) {
      say(`${one.name}: ${count} images`);
      const lanes = Array.from({ length: PULLS_AT_ONCE }, async () => {
        while (pulled < count) {
          signal.throwIfAborted();
          await one.runtime.client.image("PullImage", { image: { image: name(String(pulled++)) } });
        }
      });
      await Promise.all(lanes);
      results.set(count, await look(one, { count, name, signal }));
    }
    return results;
  } finally {
    server.close();
  }
}

async function look(one, { count, name, signal }) {
  const mib = memory(one.runtime).daemon.mib;
  const times = {};
  for (let n = 0; n < TIMES; n++) {
    const names = { there: name(String(Math.floor((n * count) / TIMES))), absent: name(`more-${count}-${n}`) };
    for (const [what, call] of Object.entries(CALLS)) {
      signal.throwIfAborted();
      const began = performance.now();
      await call(one.runtime.client, names);
      times[what] ??= [];
      times[what].push(performance.now() - began);
    }
  }
  const podUp = [];
  for (let n = 0; n < 5; n++) {
    const pod = await one.up();
    podUp.push(pod.times.podUp);
    await one.down(pod);
  }
  await one.runtime.stop();
  const start = await one.runtime.start();
  return { times, podUp, start: [start], mib };
}
