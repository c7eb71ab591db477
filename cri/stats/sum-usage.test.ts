import { expect, test } from "@jest/globals";
import { sumCpu, sumMemory } from "./sum-usage";

const v = (value: bigint) => ({ value });

test("sums leave out containers that do not run", () => {
  const containers = [
    { cpu: { usageCoreNanoSeconds: v(10n), usageNanoCores: v(3n) }, memory: { workingSetBytes: v(5n) } },
    { cpu: { usageCoreNanoSeconds: v(20n), usageNanoCores: null }, memory: { workingSetBytes: v(7n) } },
    {},
  ];
  expect(sumCpu(containers, 1n)).toEqual({ timestamp: 1n, usageCoreNanoSeconds: v(30n), usageNanoCores: v(3n) });
  expect(sumMemory(containers, 1n).workingSetBytes).toEqual(v(12n));
});

test("what is available is summed only where all are limited", () => {
  const limited = { memory: { availableBytes: v(5n) } };
  expect(sumMemory([limited, limited, {}], 1n).availableBytes).toEqual(v(10n));
  expect(sumMemory([limited, { memory: {} }], 1n).availableBytes).toBeNull();
  expect(sumMemory([], 1n).availableBytes).toBeNull();
});
