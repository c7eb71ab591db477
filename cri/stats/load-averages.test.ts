import { expect, test } from "@jest/globals";
import { LoadAverages } from "./load-averages";

test("LoadAverages smooths over ten seconds, from the first count on, each subject apart", () => {
  const averages = new LoadAverages();
  const [one, other] = [{}, {}];
  const states = (running: number, uninterruptible = 0) => ({ sleeping: 9, stopped: 9, running, uninterruptible });
  expect(averages.add(one, states(2, 1), 0)).toEqual({ load: 2000n, loadD: 1000n });
  expect(averages.add(one, states(0, 0), 10_000)).toEqual({ load: 736n, loadD: 368n });
  expect(averages.add(other, states(4), 10_000)).toEqual({ load: 4000n, loadD: 0n });
  expect(averages.add(one, states(3, 0), 1_000_000)).toEqual({ load: 3000n, loadD: 0n });
});
