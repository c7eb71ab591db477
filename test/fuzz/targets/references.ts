import path from "node:path";
import { asImageId, formatReference, parseReference } from "../../../images/reference";
import { parseChallenges } from "../../../images/auth-challenge";
import { registryKey } from "../../../images/registry-key";
import { findRegistryHosts } from "../../../images/registry-hosts";
import { checkError } from "../check-error";
import { type FuzzTarget, promise } from "../target";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const certsDirectory = "/nonexistent/certs.d";

/** Names of images: what is taken has one normal form, and leads to no other path or host than its own. */
export const target: FuzzTarget = {
  seeds: () =>
    [
      "busybox",
      "ghcr.io/a/b:1",
      "localhost:5000/x:y",
      `localhost:5000/x@${digest}`,
      `docker.io/library/busybox:1.2@${digest}`,
      "index.docker.io/a/b-c__d.e",
      "[::1]:5000/a/b",
      "REGISTRY/x",
      digest,
      'Bearer realm="https://auth.example/token",service="x",scope="repository:a:pull", Basic realm="y"',
      "https://index.docker.io/v1/",
    ].map((text) => Buffer.from(text)),
  dictionary: ["localhost", "[::1]", ":443", "@sha256:", "..", "%2e%2e", "/v2/", "xn--", "\\", "?", "#"],
  async run(input) {
    const text = input.toString("utf8");
    parseChallenges(text);
    registryKey(text);
    asImageId(text);
    let reference: ReturnType<typeof parseReference>;
    try {
      reference = parseReference(text);
    } catch (error) {
      checkError(error, ["InvalidArgument"]);
      return;
    }
    const normal = formatReference(reference);
    const again = parseReference(normal);
    promise(formatReference(again) === normal, () => `${JSON.stringify(normal)} has another normal form`);
    const { host, repository, digest } = reference;
    promise(
      again.host === host && again.repository === repository && again.digest === digest,
      () => `${normal} changes`,
    );
    const below = path.join(certsDirectory, host);
    promise(path.dirname(below) === certsDirectory, () => `the host ${JSON.stringify(host)} leads out of a directory`);
    for (const { base } of await findRegistryHosts(host, [certsDirectory])) {
      const url = new URL(`${base.href}/${repository}/manifests/${reference.digest ?? reference.tag}`);
      const written = host.toLowerCase().replace(/:\d+$/, "");
      // an address of IPv6 has several forms
      const hostname = written.startsWith("[") ? new URL(`https://${written}`).hostname : written;
      const isHub = url.host === "registry-1.docker.io" && /^(index\.)?docker\.io$/.test(hostname);
      promise(isHub || url.hostname === hostname, () => `${host} is asked at ${url.host}`);
      const end = `/v2/${repository}/manifests/${reference.digest ?? reference.tag}`;
      promise(url.pathname === end, () => `${normal} is asked at ${url.pathname}`);
    }
  },
};
