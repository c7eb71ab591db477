import { UndoStack } from "./undo";

test("unwind() goes back in reverse; a failed step does not keep the others from running, and is tried again", async () => {
  const undo = new UndoStack();
  const done: string[] = [];
  undo.push("first", () => void done.push("first"));
  let isStuck = true;
  undo.push("second", () => {
    if (isStuck) throw new Error("stuck");
    done.push("second");
  });
  undo.push("third", () => void done.push("third"));
  expect(await undo.unwind()).toEqual(["second: stuck"]);
  expect(done).toEqual(["third", "first"]);
  isStuck = false;
  expect(await undo.unwind()).toEqual([]);
  expect(done).toEqual(["third", "first", "second"]);
  expect(await undo.unwind()).toEqual([]);
  expect(done).toHaveLength(3);
});
