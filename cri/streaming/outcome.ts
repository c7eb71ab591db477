import { messageOf } from "../../api/errors";

/** How a command or an attachment ended. */
export type Outcome = { exitCode: number } | { error: unknown };

/**
 * What the error stream says at the end. From v4 on it is a metav1.Status as JSON, whose cause "ExitCode" clients make
 * their own exit code of (apimachinery pkg/util/remotecommand); before, plain text, empty for success.
 */
export function encodeOutcome(outcome: Outcome, structured: boolean): string {
  if ("exitCode" in outcome) {
    if (outcome.exitCode === 0) return structured ? JSON.stringify({ metadata: {}, status: "Success" }) : "";
    const message = `command terminated with non-zero exit code: exit code ${outcome.exitCode}`;
    if (!structured) return message;
    const causes = [{ reason: "ExitCode", message: String(outcome.exitCode) }];
    return JSON.stringify({ metadata: {}, status: "Failure", message, reason: "NonZeroExitCode", details: { causes } });
  }
  const message = messageOf(outcome.error).slice(0, 4096);
  if (!structured) return message;
  return JSON.stringify({
    metadata: {},
    status: "Failure",
    message: `Internal error occurred: ${message}`,
    reason: "InternalError",
    details: { causes: [{ message }] },
    code: 500,
  });
}
