import { codec, Encoded } from "../../api/messages";
import { Summaries } from "./summaries";

test("encodeList() gives each object with its state of now, and encodes it only when that has changed", () => {
  const encoded: string[] = [];
  const summaries = new Summaries<{ id: string }, number>(({ id }, state) => {
    encoded.push(id);
    return codec("PodSandbox").encode({ id, state, createdAt: 2n ** 62n, labels: { a: id }, metadata: { name: id } });
  });
  const [a, b] = [{ id: "a" }, { id: "b" }];
  const list = (states: [{ id: string }, number][]) => {
    const bytes = summaries.encodeList(states.map(([object, state]) => ({ object, state })));
    const sent = codec("ListPodSandboxResponse").encode(new Encoded(bytes));
    return codec("ListPodSandboxResponse").decode(sent).items;
  };
  const as = (id: string, state: number) =>
    expect.objectContaining({ id, state, createdAt: 2n ** 62n, labels: { a: id }, metadata: expect.anything() });
  expect(list([])).toEqual([]);
  expect(
    list([
      [a, 0],
      [b, 1],
    ]),
  ).toEqual([as("a", 0), as("b", 1)]);
  expect(
    list([
      [b, 0],
      [a, 1],
    ]),
  ).toEqual([as("b", 0), as("a", 1)]);
  list([
    [a, 1],
    [b, 0],
  ]);
  expect(encoded).toEqual(["a", "b", "b", "a"]);
});
