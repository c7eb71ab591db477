import { OperationGate } from "./operation-gate";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("OperationGate lets shared work in together, and exclusive work in alone or not at all", async () => {
  const gate = new OperationGate();
  const log: string[] = [];
  const ends: Record<string, () => void> = {};
  const work = (name: string) => async () => {
    log.push(`+${name}`);
    await new Promise<void>((resolve) => {
      ends[name] = resolve;
    });
    log.push(`-${name}`);
    return name;
  };
  const end = async (name: string) => {
    ends[name]!();
    await turn();
  };
  const first = [gate.shared(work("a")), gate.shared(work("b"))];
  expect(await gate.exclusiveIfIdle(work("X"))).toBeUndefined();
  await end("a");
  expect(await gate.exclusiveIfIdle(work("X"))).toBeUndefined();
  await end("b");
  expect(await Promise.all(first)).toEqual(["a", "b"]);
  const alone = gate.exclusiveIfIdle(work("Y"));
  const waiting = [gate.shared(work("c")), gate.shared(work("d"))];
  expect(await gate.exclusiveIfIdle(work("X"))).toBeUndefined();
  await turn();
  expect(log).toEqual(["+a", "+b", "-a", "-b", "+Y"]);
  await end("Y");
  expect(await alone).toBe("Y");
  for (const name of ["c", "d"]) await end(name);
  await Promise.all(waiting);
  expect(log.slice(5)).toEqual(["-Y", "+c", "+d", "-c", "-d"]);
});

test("OperationGate goes on after work that failed", async () => {
  const gate = new OperationGate();
  await expect(gate.exclusiveIfIdle(() => Promise.reject(new Error("x")))).rejects.toThrow("x");
  await expect(gate.shared(() => Promise.reject(new Error("y")))).rejects.toThrow("y");
  expect(await gate.exclusiveIfIdle(async () => 1)).toBe(1);
});
