import { status } from "@grpc/grpc-js";
import type { RawAnswer } from "./raw-client";

/** What any call may come to: the request was good after all, or it is told what is wrong with it. */
const always = [status.OK, status.INVALID_ARGUMENT, status.NOT_FOUND];

/** What the state of an object, or of the node, may forbid as well. */
const further: Record<string, status[]> = {
  // the name is held by another; a user namespace or profile that this node has not
  RunPodSandbox: [status.ALREADY_EXISTS, status.FAILED_PRECONDITION],
  CreateContainer: [status.ALREADY_EXISTS, status.FAILED_PRECONDITION],
  StartContainer: [status.FAILED_PRECONDITION],
  UpdateContainerResources: [status.FAILED_PRECONDITION],
  ReopenContainerLog: [status.FAILED_PRECONDITION],
  // what prints without end
  ExecSync: [status.FAILED_PRECONDITION, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED],
  // a thousand URLs that nobody came for
  Exec: [status.FAILED_PRECONDITION, status.RESOURCE_EXHAUSTED],
  Attach: [status.FAILED_PRECONDITION, status.RESOURCE_EXHAUSTED],
  PortForward: [status.FAILED_PRECONDITION, status.RESOURCE_EXHAUSTED],
  UpdatePodSandboxResources: [status.FAILED_PRECONDITION],
  ForgetNetwork: [status.FAILED_PRECONDITION],
  // a registry that refuses
  PullImage: [status.PERMISSION_DENIED, status.FAILED_PRECONDITION],
  Pull: [status.PERMISSION_DENIED, status.FAILED_PRECONDITION],
};

const notBuilt = ["CheckpointContainer", "CheckpointPod", "RestorePod"];

/** The CRI's own errors travel as UNKNOWN, their name first. */
const named: Record<string, RegExp> = {
  PullImage: /^RegistryUnavailable: /,
  Pull: /^RegistryUnavailable: /,
  CreateContainer: /^(ImageVolumeMountFailed|RROUnsupported): /,
};

const stack = /\n\s+at |\.(ts|js|cjs):\d+|TypeError|RangeError|ReferenceError|SyntaxError/;
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const messageLimitBytes = 4096;

/** What is wrong with an answer; undefined where nothing is. */
export function complaint(method: string, { code, details }: RawAnswer, requestBytes: number): string | undefined {
  const say = (what: string) => `${method}: ${what}: ${status[code]} ${JSON.stringify(details.slice(0, 1000))}`;
  if (stack.test(details)) return say("the message tells of the program's inside");
  if (unprintable.test(details)) return say("the message holds what can't be printed");
  if (Buffer.byteLength(details) > messageLimitBytes) return say("the message is too long");
  if (code !== status.OK && details === "") return say("there is no message");
  if (always.includes(code) || further[method]?.includes(code)) return undefined;
  if (code === status.UNIMPLEMENTED && notBuilt.includes(method)) return undefined;
  if (code === status.UNKNOWN && named[method]?.test(details)) return undefined;
  if (code === status.RESOURCE_EXHAUSTED && requestBytes > 16 << 20) return undefined;
  return say("this code is none that a request can be answered with");
}
