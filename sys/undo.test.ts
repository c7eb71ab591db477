import { UndoStack } from "./undo";

test("unwind() goes back in reverse, and a failed step does not keep the others from running", async () => {
  const undo = new UndoStack();
  const done: string[] = [];
  undo.push("first", () => void done.push("first"));
  undo.push("second", () => Promise.reject(new Error("stuck")));
  undo.push("third", () => void done.push("third"));
  expect(await undo.unwind()).toEqual(["second: stuck"]);
  expect(done).toEqual(["third", "first"]);
  expect(await undo.unwind()).toEqual([]);
});
