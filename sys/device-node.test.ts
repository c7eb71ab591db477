import { deviceNumber } from "./device-node";

test.each([
  [1, 3, 0x103],
  [0, 0, 0],
  [259, 300_000, 0x493103e0],
])("deviceNumber() packs major %d and minor %d as the kernel does", (major, minor, expected) => {
  expect(deviceNumber(major, minor) >>> 0).toBe(expected);
});
