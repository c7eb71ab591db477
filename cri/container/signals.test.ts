import { Signal } from "../../api/messages";
import { signalForStatus, signalNumber, signalOfRequest } from "./signals";

test.each([
  ["SIGTERM", 15],
  ["TERM", 15],
  ["sigquit", 3],
  ["9", 9],
  ["SIGRTMIN+3", 37],
  ["RTMAX-1", 63],
  ["SIGRTMAX", 64],
  ["SIGCLD", 17],
  ["65", undefined],
  ["0", undefined],
  ["SIGNONE", undefined],
  ["SIGRTMIN+99", undefined],
])("signalNumber(%j) is %p", (text, number) => {
  expect(signalNumber(text)).toBe(number);
});

test("every signal of the CRI has a kernel's number, and back", () => {
  for (const [name, value] of Object.entries(Signal)) {
    if (name === "SIGNAL_RUNTIME_DEFAULT") expect(signalOfRequest(value)).toBeUndefined();
    else expect(signalOfRequest(value)).toBeGreaterThan(0);
  }
  expect(signalForStatus(15)).toBe(Signal.SIGNAL_SIGTERM);
  expect(signalForStatus(37)).toBe(Signal.SIGNAL_SIGRTMINPLUS3);
});
