import { beforeAll, jest } from "@jest/globals";
import { restartService } from "../../hack/cluster/services.cjs";

// Enough for a machine that does other work too.
jest.setTimeout(400_000);

// With --kill-berth, hack/e2e.sh's second run, each file of tests finds its runtime killed under it.
if (process.env["BERTH_E2E_KILL"] === "1") beforeAll(() => restartService("berth", "SIGKILL"));
