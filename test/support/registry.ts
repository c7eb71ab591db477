import fs from "node:fs";
import type { Image, Index } from "../../hack/images/image.cjs";
import { pushImage } from "../../hack/images/push.cjs";
import { type Registry, startRegistry } from "../../hack/support/registry.cjs";
import { temporaryDirectory } from "./unique";

export interface TestRegistry extends Registry {
  /** @returns the reference to pull it by, such as 127.0.0.1:41234/some/name:latest */
  push(repository: string, image: Image | Index, tag?: string): Promise<string>;
}

/** A private docker-registry on a loopback port. stop() also removes what it held. */
export async function testRegistry(): Promise<TestRegistry> {
  const directory = temporaryDirectory();
  const registry = await startRegistry(directory);
  return {
    ...registry,
    async push(repository, image, tag = "latest") {
      await pushImage(registry.url, repository, [tag], image);
      return `${registry.address}/${repository}:${tag}`;
    },
    async stop() {
      await registry.stop();
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}
