import { Reservations } from "./reservations";

test("reserve() gives a repeated request the first one's result, before and after it is there", async () => {
  const names = new Reservations<string>();
  let made = 0;
  const create = async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return `id-${++made}`;
  };
  const both = await Promise.all([names.reserve("a", "same", create), names.reserve("a", "same", create)]);
  expect(both).toEqual(["id-1", "id-1"]);
  expect(await names.reserve("a", "same", create)).toBe("id-1");
});

test("reserve() refuses another request for a name that is taken", async () => {
  const names = new Reservations<string>();
  await names.reserve("a", "one", async () => "id");
  await expect(names.reserve("a", "two", async () => "other")).rejects.toMatchObject({ code: "AlreadyExists" });
});

test("reserve() lets the name go when the creation fails", async () => {
  const names = new Reservations<string>();
  await expect(names.reserve("a", "one", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await names.reserve("a", "two", async () => "id")).toBe("id");
});
