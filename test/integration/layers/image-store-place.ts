import fs from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach } from "@jest/globals";
import { FakeRegistry } from "../../../images/fake-registry";
import { buildWorkerScript } from "./worker-script";
import { Workspace } from "./workspace";

/** Of the test that runs. */
export interface ImageStorePlace {
  space: Workspace;
  registry: FakeRegistry;
  /** The registry's, with its port. */
  host: string;
}

/** A workspace and a registry for each test of the file that calls this, before its own hooks. */
export function imageStorePlace(): ImageStorePlace {
  const place = {} as ImageStorePlace;
  let workerScript = "";
  beforeAll(() => {
    workerScript = buildWorkerScript();
  });
  afterAll(() => {
    fs.rmSync(workerScript, { force: true });
  });
  beforeEach(async () => {
    place.space = new Workspace(workerScript);
    place.registry = new FakeRegistry();
    place.host = await place.registry.start();
  });
  afterEach(async () => {
    await place.registry.stop();
    place.space.clean();
  });
  return place;
}
