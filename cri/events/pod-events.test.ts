import { beforeEach, expect, test } from "@jest/globals";
import { ContainerEventType } from "../../api/messages";
import type { Container } from "../store/container";
import type { Sandbox } from "../store/sandbox";
import { PodEvents } from "./pod-events";

const sandbox = { id: "pod" } as Sandbox;
const container = { id: "c", record: { sandboxId: "pod" } } as Container;
const reports: string[] = [];
let fails = false;
let events: PodEvents;

beforeEach(() => {
  reports.length = 0;
  fails = false;
  events = new PodEvents({
    sandboxOf: (id) => (id === "pod" ? sandbox : undefined),
    stateOf: () => {
      if (fails) throw new Error("unreadable");
      return { podSandboxStatus: { id: "pod" }, containersStatuses: [] };
    },
    report: (message) => reports.push(message),
  });
});

const names = new Map(Object.entries(ContainerEventType).map(([name, value]) => [value as number, name.split("_")[1]]));

/** What `happen` tells, as "ID TYPE". */
async function told(happen: () => void): Promise<string[]> {
  const subscription = events.subscribe(new AbortController().signal);
  happen();
  events.close();
  const seen: string[] = [];
  for await (const event of subscription) seen.push(`${event.containerId} ${names.get(event.containerEventType!)}`);
  return seen;
}

test("a sandbox's events carry its own ID", async () => {
  const seen = await told(() => {
    events.sandboxRuns(sandbox);
    events.sandboxStopped(sandbox);
    events.sandboxDeleted(sandbox);
  });
  expect(seen).toEqual(["pod CREATED", "pod STARTED", "pod STOPPED", "pod DELETED"]);
});

test("the end of a container that is seen before its start has returned is told after it", async () => {
  const seen = await told(() => {
    events.containerCreated(container);
    events.containerStarting(container);
    events.containerStopped(container);
    events.containerStarted(container);
    events.containerDeleted(container);
  });
  expect(seen).toEqual(["c CREATED", "c STARTED", "c STOPPED", "c DELETED"]);
});

test("a start that fails tells no start, and the end once", async () => {
  const seen = await told(() => {
    events.containerStarting(container);
    events.containerStartFailed(container);
    events.containerStopped(container);
  });
  expect(seen).toEqual(["c STOPPED"]);
});

test("a start that fails after the end was seen tells that end", async () => {
  const seen = await told(() => {
    events.containerStarting(container);
    events.containerStopped(container);
    events.containerStartFailed(container);
  });
  expect(seen).toEqual(["c STOPPED"]);
});

test("a state that can't be read is reported and does not undo what has happened", async () => {
  fails = true;
  expect(await told(() => events.containerCreated(container))).toEqual([]);
  expect(reports).toEqual(["an event of c could not be told: unreadable"]);
});
