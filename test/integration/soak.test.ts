import { spawnSync } from "node:child_process";
import path from "node:path";
import { environment } from "../support/daemon";

const SCRIPT = path.join(__dirname, "../../hack/soak.mjs");

/** The short form: too few lives to tell growth of memory from warming up, enough to leave things over. */
test("60 pods that come and go, with all that a node asks for besides, leave nothing over", () => {
  const args = [SCRIPT, "--lifecycles", "60", "--every", "30", "--no-memory"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    env: environment(),
    encoding: "utf8",
    timeout: 85_000,
  });
  expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: expect.stringContaining("nothing was left") });
});
