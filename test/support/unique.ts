import fs from "node:fs";
import os from "node:os";
import path from "node:path";

export { freePort } from "../../hack/support/registry.cjs";
export { uniqueId, uniqueSubnet } from "../../hack/support/unique.cjs";

/** A directory for one test file, with a path short enough for a unix socket. Who makes it removes it. */
export function temporaryDirectory(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), "berth-"));
}
