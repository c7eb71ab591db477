import { afterAll, beforeAll } from "@jest/globals";
import { Client } from "../../cri/client/client";
import { type TestDaemon, testDaemon } from "./daemon";
import { busyboxImage } from "./images";
import { type TestRegistry, testRegistry } from "./registry";

export interface TestNode {
  registry: TestRegistry;
  daemon: TestDaemon;
  client: Client;
  /** Pulled already. */
  image: string;
}

/**
 * A registry and a daemon with an image to run pods of, for all tests of a file: there from its own beforeAll() on, and
 * taken away after the last test. `prepare` is handed the daemon before it starts.
 */
export function testNode(prepare: (daemon: TestDaemon) => void = () => {}): TestNode {
  const node = {} as TestNode;
  beforeAll(async () => {
    node.registry = await testRegistry();
    node.image = await node.registry.push("test/busybox", busyboxImage());
    node.daemon = testDaemon({ registry: node.registry.url });
    prepare(node.daemon);
    await node.daemon.start();
    node.client = new Client(node.daemon.socket);
    await node.client.image("PullImage", { image: { image: node.image } });
  }, 60_000);
  afterAll(async () => {
    node.client?.close();
    await node.daemon?.remove();
    await node.registry?.stop();
  }, 60_000);
  return node;
}
