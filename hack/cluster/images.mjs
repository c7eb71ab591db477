// The images of the cluster's pods, pushed to a registry on the node that stands for every other.
import fs from "node:fs";
import { busyboxEntries, PATH, SHELL } from "../images/busybox.cjs";
import { pauseSource } from "../images/critest.mjs";
import { makeImage, makeLayer } from "../images/image.cjs";
import { pushImage } from "../images/push.cjs";
import { program } from "./node.cjs";

/** An image of one static program on top of busybox. */
function programImage(base, name) {
  const layer = makeLayer([{ path: name, mode: 0o755, body: fs.readFileSync(program(name)) }], "zstd");
  return makeImage({ layers: [base, layer], config: { Env: [PATH], Entrypoint: [`/${name}`] } });
}

/** What there is, as { repository, tag, image }. */
export function clusterImages() {
  const base = makeLayer(busyboxEntries("/bin/busybox"));
  const marked = (text) => makeLayer([{ path: "etc/version", body: `${text}\n` }]);
  const shell = (...layers) => makeImage({ layers: [base, ...layers], config: SHELL });
  return [
    { repository: "e2e/busybox", tag: "latest", image: shell() },
    { repository: "e2e/busybox", tag: "1", image: shell(marked("1")) },
    { repository: "e2e/busybox", tag: "2", image: shell(marked("2")) },
    { repository: "e2e/user", tag: "1000", image: makeImage({ layers: [base], config: { ...SHELL, User: "1000" } }) },
    { repository: "e2e/agnhost", tag: "latest", image: programImage(base, "agnhost") },
    { repository: "coredns/coredns", tag: "latest", image: programImage(base, "coredns") },
    { repository: "pause", tag: "3.10", image: makeImage(pauseSource("3.10")) },
  ];
}

export async function pushClusterImages(registry) {
  for (const { repository, tag, image } of clusterImages()) await pushImage(registry, repository, [tag], image);
}
