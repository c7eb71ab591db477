import { currentEndpoint, switchEndpoint } from "./kubelet-files";

const berth = "unix:///run/berth/berth.sock";
const config = "/var/lib/kubelet/config.yaml";
const instance = "/var/lib/kubelet/instance-config.yaml";
const kubeadmFlags = "/var/lib/kubelet/kubeadm-flags.env";
const debianFlags = "/etc/default/kubelet";

const over = (files: { [file: string]: string }) => ({ read: (file: string) => files[file], config });
const afterwards = (files: { [file: string]: string }) =>
  Object.fromEntries(switchEndpoint(over(files), berth).map(({ file, after }) => [file, after]));

test("kubeadm's flags: both endpoints change, all else stays", () => {
  const files = {
    [kubeadmFlags]:
      'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///run/containerd/containerd.sock --image-service-endpoint unix:///run/containerd/containerd.sock --pod-infra-container-image=registry.k8s.io/pause:3.10"\n',
    [config]: "kind: KubeletConfiguration\n",
  };
  expect(currentEndpoint(over(files))).toBe("unix:///run/containerd/containerd.sock");
  expect(afterwards(files)).toEqual({
    [kubeadmFlags]: `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${berth} --image-service-endpoint ${berth} --pod-infra-container-image=registry.k8s.io/pause:3.10"\n`,
  });
});

test("kubeadm's instance configuration and the node's own change together, with their comments", () => {
  const files = {
    [instance]: "kind: KubeletConfiguration\ncontainerRuntimeEndpoint: unix:///var/run/crio/crio.sock\n",
    [config]: '# ours\ncontainerRuntimeEndpoint: "" # kubeadm fills it in\nimageServiceEndpoint: unix:///x.sock\n',
  };
  expect(currentEndpoint(over(files))).toBe("unix:///var/run/crio/crio.sock");
  expect(afterwards(files)).toEqual({
    [instance]: `kind: KubeletConfiguration\ncontainerRuntimeEndpoint: ${berth}\n`,
    [config]: `# ours\ncontainerRuntimeEndpoint: "" # kubeadm fills it in\nimageServiceEndpoint: ${berth}\n`,
  });
});

test("a configuration that names no runtime gets the key, and keeps its comments and long lines", () => {
  const files = { [config]: `# a comment\nkind: KubeletConfiguration\nclusterDomain: ${"x".repeat(200)}\n` };
  expect(currentEndpoint(over(files))).toBe("unix:///run/containerd/containerd.sock");
  expect(afterwards(files)).toEqual({ [config]: `${files[config]}containerRuntimeEndpoint: ${berth}\n` });
});

test("kind's cgroup of the runtime follows", () => {
  const files = {
    [debianFlags]: "KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/containerd.service\n",
    [config]: `containerRuntimeEndpoint: ${berth}\n`,
  };
  expect(afterwards(files)).toEqual({
    [debianFlags]: "KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/berth.service\n",
  });
});

test("nothing changes where all names Berth", () => {
  const files = { [kubeadmFlags]: `X="--container-runtime-endpoint=${berth}"\n`, [config]: "kind: X\n" };
  expect(currentEndpoint(over(files))).toBe(berth);
  expect(switchEndpoint(over(files), berth)).toEqual([]);
});

test("no file of the kubelet's is an error with the way out, and so is a file that is no YAML", () => {
  expect(() => switchEndpoint(over({}), berth)).toThrow(/no file of the kubelet's is there: .*config\.yaml/);
  expect(() => switchEndpoint(over({ [config]: "a: [" }), berth)).toThrow(`${config}: `);
});
