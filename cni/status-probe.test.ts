import type { CniVersion } from "./cni-version";
import type { NetworkConfig } from "./network-config";
import { StatusProbe } from "./status-probe";

const network = (cniVersion: CniVersion): NetworkConfig => ({
  name: "n",
  cniVersion,
  disableCheck: false,
  disableGC: false,
  loadOnlyInlinedPlugins: true,
  plugins: [{ type: "a" }],
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("StatusProbe is ready at once where the version has no STATUS", () => {
  const probe = new StatusProbe(() => Promise.reject(new Error("asked")));
  probe.watch(network("1.0.0"));
  expect(probe.answer()).toBeUndefined();
});

test("StatusProbe is not ready until the plugins have answered, and never waits for them", async () => {
  let answer = () => {};
  const probe = new StatusProbe(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  probe.watch(network("1.1.0"));
  expect(probe.answer()).toBe("its plugins have not answered STATUS yet");
  answer();
  await turn();
  expect(probe.answer()).toBeUndefined();
});

test("StatusProbe asks anew for a network that came while the last one was asked", async () => {
  const answers: (() => void)[] = [];
  const probe = new StatusProbe(
    (asked) => new Promise((_, reject) => answers.push(() => reject(new Error(asked.name)))),
  );
  probe.watch(network("1.1.0"));
  probe.watch({ ...network("1.1.0"), name: "second" });
  answers[0]!();
  await turn();
  answers[1]!();
  await turn();
  expect(probe.answer()).toBe("second");
});
