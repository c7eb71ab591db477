// Puts images into a registry (OCI distribution spec, "Push").

async function call(method, url, { body, type, headers = {} } = {}) {
  const answer = await fetch(url, { method, body, headers: { ...(type ? { "content-type": type } : {}), ...headers } });
  if (!answer.ok && !(method === "HEAD" && answer.status === 404))
    throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  if (method !== "HEAD") await answer.arrayBuffer();
  return answer;
}

async function pushImage(registry, repository, tags, image, headers) {
  const base = `${registry}/v2/${repository}`;
  for (const { digest, bytes } of image.blobs) {
    if ((await call("HEAD", `${base}/blobs/${digest}`, { headers })).ok) continue;
    const session = await call("POST", `${base}/blobs/uploads/`, { headers });
    const target = new URL(session.headers.get("location"), registry);
    target.searchParams.set("digest", digest);
    await call("PUT", target, { body: bytes, type: "application/octet-stream", headers });
  }
  const put = (reference, { bytes, mediaType }) =>
    call("PUT", `${base}/manifests/${reference}`, { body: bytes, type: mediaType, headers });
  for (const manifest of image.manifests) await put(manifest.digest, manifest);
  for (const tag of tags) await put(tag, image);
  return image.digest;
}

module.exports = { pushImage };
