import { describe, expect, test } from "@jest/globals";
import { capabilitySets, daemonCapabilities, defaultCapabilities } from "./capabilities";

const available = [...defaultCapabilities, "CAP_SYS_ADMIN", "CAP_NET_ADMIN"];
const sets = (add: string[], drop: string[] = [], ambient: string[] = [], privileged = false) =>
  capabilitySets({
    requested: { addCapabilities: add, dropCapabilities: drop, addAmbientCapabilities: ambient },
    privileged,
    defaults: defaultCapabilities,
    available,
  });

describe("capabilitySets()", () => {
  test("gives the default ones, inheritable and ambient empty", () => {
    const { sets: plain, warnings } = sets([]);
    expect(new Set(plain.bounding)).toEqual(new Set(defaultCapabilities));
    expect(plain.permitted).toEqual(plain.bounding);
    expect(plain.effective).toEqual(plain.bounding);
    expect([plain.inheritable, plain.ambient, warnings]).toEqual([[], [], []]);
  });

  test("takes ALL first, then each added and dropped", () => {
    expect(new Set(sets(["ALL"], ["CHOWN"]).sets.bounding)).toEqual(
      new Set(available.filter((name) => name !== "CAP_CHOWN")),
    );
    expect(sets(["net_admin", "CAP_KILL"], ["all"]).sets.bounding).toEqual(["CAP_KILL", "CAP_NET_ADMIN"]);
    expect(sets(["ALL"], ["ALL"]).sets.bounding).toEqual([]);
  });

  test("puts ambient ones into every set, unless they are dropped", () => {
    const { ambient, inheritable, bounding } = sets([], ["ALL"], ["NET_ADMIN"]).sets;
    expect([ambient, inheritable, bounding]).toEqual([["CAP_NET_ADMIN"], ["CAP_NET_ADMIN"], ["CAP_NET_ADMIN"]]);
    expect(sets([], ["NET_ADMIN"], ["NET_ADMIN"]).sets.ambient).toEqual([]);
    expect(sets(["NET_ADMIN"], [], ["KILL"]).sets).toMatchObject({ ambient: ["CAP_KILL"], inheritable: ["CAP_KILL"] });
  });

  test("leaves out with a warning what the daemon lacks", () => {
    const { sets: cut, warnings } = sets(["SYS_RESOURCE"]);
    expect(cut.bounding).not.toContain("CAP_SYS_RESOURCE");
    expect(warnings).toEqual([expect.stringContaining("CAP_SYS_RESOURCE")]);
  });

  test("gives a privileged container all that the daemon has, whatever is dropped", () => {
    expect(new Set(sets([], ["ALL"], [], true).sets.effective)).toEqual(new Set(available));
  });

  test("refuses unknown names", () => {
    expect(() => sets(["FLY"])).toThrow(/"FLY" is unknown/);
    expect(() => sets([], [], ["x\n"])).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });
});

describe("daemonCapabilities()", () => {
  test("reads this process's own", () => {
    expect(daemonCapabilities()).toEqual(expect.any(Array));
    expect(daemonCapabilities("/dev/null")).toEqual([]);
  });
});
