import { expect, test } from "@jest/globals";
import { Cgroups } from "../../sys/cgroups";
import type { Sandbox } from "../store/sandbox";
import { podCgroup } from "./pod-cgroup";

const uid = "3f1a4a58-6f0c-4d6e-9d5a-b1c2d3e4f506";
const sandbox = (cgroupParent: string, metadata = { uid }) =>
  ({ config: { metadata, linux: { cgroupParent } } }) as unknown as Sandbox;
const v1 = new Cgroups({ version: "v1", unified: undefined, controllers: new Map([["memory", "/m"]]) });
const v2 = new Cgroups({ version: "v2", unified: "/u", controllers: new Map() });

test("a parent that is named by the pod's UID is the pod's own", () => {
  const parent = `/kubepods/burstable/pod${uid}`;
  expect(podCgroup({ cgroups: v1, cgroupDriver: "cgroupfs" }, sandbox(parent))).toEqual({ "": parent, memory: parent });
});

test("with systemd the UID has underscores", () => {
  const slice = `kubepods-pod${uid.replaceAll("-", "_")}.slice`;
  const paths = podCgroup({ cgroups: v2, cgroupDriver: "systemd" }, sandbox(`/kubepods.slice/${slice}`));
  expect(paths).toEqual({ "": `/kubepods.slice/${slice}` });
});

test("any other parent may be shared", () => {
  const services = { cgroups: v1, cgroupDriver: "cgroupfs" } as const;
  for (const parent of ["", "/", "/kubepods", `/pod${uid}/inner`]) {
    expect(podCgroup(services, sandbox(parent))).toBeUndefined();
  }
  expect(podCgroup(services, sandbox("/kubepods", { uid: "" }))).toBeUndefined();
});
