import { OperationGate } from "./operation-gate";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("OperationGate lets shared work in together, and exclusive work in alone", async () => {
  const gate = new OperationGate();
  const log: string[] = [];
  const ends: Record<string, () => void> = {};
  const work = (name: string) => async () => {
    log.push(`+${name}`);
    await new Promise<void>((resolve) => {
      ends[name] = resolve;
    });
    log.push(`-${name}`);
  };
  const all = [gate.shared(work("a")), gate.shared(work("b")), gate.exclusive(work("X"))];
  all.push(gate.shared(work("c")), gate.exclusive(work("Y")));
  for (const name of ["a", "b", "X", "Y", "c"]) {
    await turn();
    ends[name]!();
    await turn();
  }
  await Promise.all(all);
  expect(log).toEqual(["+a", "+b", "-a", "-b", "+X", "-X", "+Y", "-Y", "+c", "-c"]);
});

test("OperationGate goes on after work that failed", async () => {
  const gate = new OperationGate();
  await expect(gate.exclusive(() => Promise.reject(new Error("x")))).rejects.toThrow("x");
  await expect(gate.shared(() => Promise.reject(new Error("y")))).rejects.toThrow("y");
  expect(await gate.exclusive(async () => 1)).toBe(1);
});
