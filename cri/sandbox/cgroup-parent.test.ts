import { cgroupsPathFor, parentCgroup, parentPath } from "./cgroup-parent";

test("parentCgroup() keeps a cgroupfs path and takes a slice's base name for systemd", () => {
  expect(parentCgroup("/kubepods/burstable/pod1/", "cgroupfs")).toBe("/kubepods/burstable/pod1");
  expect(parentCgroup("kubepods//pod1", "cgroupfs")).toBe("/kubepods/pod1");
  expect(parentCgroup("/kubepods.slice/kubepods-pod1.slice", "systemd")).toBe("kubepods-pod1.slice");
  expect(parentCgroup("", "cgroupfs")).toBe("/berth");
  expect(parentCgroup("", "systemd")).toBe("system.slice");
});

test.each([
  ["/", "cgroupfs"],
  ["/a/../b", "cgroupfs"],
  ["../../x", "systemd"],
  ["/a.slice", "cgroupfs"],
  ["/a", "systemd"],
  ["/-.slice", "systemd"],
  ["/a--b.slice", "systemd"],
  ["/a\nb", "cgroupfs"],
] as const)("parentCgroup() refuses %j under %s", (given, driver) => {
  expect(() => parentCgroup(given, driver)).toThrow("cgroup_parent");
});

test("parentPath() knows that a slice lies in those that its name begins with", () => {
  expect(parentPath("a-b-c.slice", "systemd")).toBe("/a.slice/a-b.slice/a-b-c.slice");
  expect(parentPath("/a-b/c", "cgroupfs")).toBe("/a-b/c");
});

test("cgroupsPathFor() has the form of the driver", () => {
  expect(cgroupsPathFor("/p", "id", "cgroupfs")).toBe("/p/id");
  expect(cgroupsPathFor("p.slice", "id", "systemd")).toBe("p.slice:cri-berth:id");
});
