import { namesOfArgs, podArgs } from "./plugin-args";

const pod = { sandboxId: "ab", namespace: "default", name: "web-0", uid: "123" };

test("podArgs() names the pod as Kubernetes' runtimes do", () => {
  expect(podArgs(pod)).toBe(
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=ab;K8S_POD_UID=123",
  );
});

test.each(["a;b", "a=b", "a\nb", "a\0b", "x".repeat(1025)])("podArgs() refuses the value %j", (name) => {
  expect(() => podArgs({ ...pod, name })).toThrow("K8S_POD_NAME");
});

test("namesOfArgs() brings the names back", () => {
  const { sandboxId: _, ...names } = pod;
  expect(namesOfArgs(podArgs(pod))).toEqual(names);
  expect(namesOfArgs("X=1")).toEqual({ namespace: "", name: "", uid: "" });
});
