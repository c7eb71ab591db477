import { BerthError, type ErrorCode } from "../../api/errors";
import { statusOf } from "../../cri/server/status-code";
import { promise } from "./target";

const steering = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
/** Where the border cuts a message off: what says why may stand past it. */
const longest = 4096;

/** What every refusal promises: one of `codes`, and a text that is told whole and steers no terminal. Throws all others. */
export function checkError(error: unknown, codes: readonly ErrorCode[]): asserts error is BerthError {
  if (!(error instanceof BerthError) || !codes.includes(error.code)) throw error;
  promise(error.message.length < longest, () => `an error of ${error.message.length} characters`);
  const { details } = statusOf(error);
  promise(!steering.test(details), () => `${JSON.stringify(details)} steers a terminal`);
}
