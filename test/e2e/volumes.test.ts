import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { temporaryDirectory } from "../support/unique";
import { eventually } from "./support/eventually";
import { BUSYBOX_2, idle, Namespace, shell } from "./support/namespace";

let namespace: Namespace;
let directory: string;
beforeAll(async () => {
  namespace = await Namespace.create("volumes");
  directory = temporaryDirectory();
  await namespace.create({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "settings" },
    data: { colour: "blue" },
  });
  await namespace.create({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "key" },
    stringData: { password: "s3cret" },
  });
});
afterAll(async () => {
  await namespace.remove();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** One volume, mounted at /volume in the container `main`. */
const mounted = (volume: Record<string, unknown>, mount: Record<string, unknown> = {}) => ({
  volumes: [{ name: "volume", ...volume }],
  volumeMounts: [{ name: "volume", mountPath: "/volume", ...mount }],
});

test("a ConfigMap is in the environment and in files, and files follow its changes", async () => {
  const { volumes, volumeMounts } = mounted({ configMap: { name: "settings" } });
  const env = [{ name: "COLOUR", valueFrom: { configMapKeyRef: { name: "settings", key: "colour" } } }];
  await namespace.readyPod("config-map", { volumes, containers: [idle({ volumeMounts, env })] });
  const read = () => namespace.exec("config-map", "sh", "-c", "echo $COLOUR $(cat /volume/colour)");
  expect(await read()).toBe("blue blue\n");
  await namespace.kubectl("patch", "configmap", "settings", "--patch", '{"data":{"colour":"green"}}');
  await eventually("the file changes", read, (text) => text === "blue green\n", 180_000);
});

test("a Secret lies on a tmpfs with the mode that was asked for", async () => {
  const { volumes, volumeMounts } = mounted({ secret: { secretName: "key", defaultMode: 0o400 } });
  const envFrom = [{ secretRef: { name: "key" } }];
  const script = "cat /volume/password; echo; stat -Lc %a /volume/password; stat -fc %T /volume; echo $password";
  const text = await namespace.outputOf("secret", { volumes, containers: [shell(script, { volumeMounts, envFrom })] });
  expect(text).toBe("s3cret\n400\ntmpfs\ns3cret\n");
});

test("a projected volume holds a token that the API server knows, and facts of the pod", async () => {
  const sources = [
    { serviceAccountToken: { path: "token", expirationSeconds: 600 } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    { downwardAPI: { items: [{ path: "name", fieldRef: { fieldPath: "metadata.name" } }] } },
    { secret: { name: "key" } },
  ];
  const { volumes, volumeMounts } = mounted({ projected: { sources } });
  const script = "cat /volume/name /volume/password; echo; head -n1 /volume/ca.crt; cat /volume/token";
  const text = await namespace.outputOf("projected", { volumes, containers: [shell(script, { volumeMounts })] });
  const [facts, authority, token = ""] = text.split("\n");
  expect([facts, authority]).toEqual(["projecteds3cret", "-----BEGIN CERTIFICATE-----"]);
  const who = await namespace.kubectl(
    "auth",
    "whoami",
    `--token=${token}`,
    "--output=json",
    "--kubeconfig=/dev/null",
    ...(await server()),
  );
  expect(JSON.parse(who).status.userInfo.username).toBe(`system:serviceaccount:${namespace.name}:default`);
});

async function server(): Promise<string[]> {
  const [cluster] = JSON.parse(await namespace.kubectl("config", "view", "--raw", "--output=json")).clusters;
  const file = `${directory}/ca.crt`;
  fs.writeFileSync(file, Buffer.from(cluster.cluster["certificate-authority-data"], "base64"));
  return [`--server=${cluster.cluster.server}`, `--certificate-authority=${file}`];
}

test("an emptyDir is shared by the pod's containers, and in memory it has a size", async () => {
  const volumes = [
    { name: "disk", emptyDir: {} },
    { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "4Mi" } },
  ];
  const volumeMounts = [
    { name: "disk", mountPath: "/disk" },
    { name: "memory", mountPath: "/memory" },
  ];
  const writer = shell("echo hello >/disk/file; echo there >/memory/file; exec sleep 1000", {
    name: "writer",
    volumeMounts,
  });
  const script =
    "until [ -e /memory/file ]; do sleep 0.2; done; cat /disk/file /memory/file; stat -fc %T /memory; dd if=/dev/zero of=/memory/big bs=1M count=5 2>&1 | grep -o 'No space left on device'";
  await namespace.readyPod("empty-dir", {
    volumes,
    containers: [writer, shell(`${script}; exec sleep 1000`, { volumeMounts })],
  });
  const text = await eventually(
    "it has looked",
    () => namespace.log("empty-dir", "--container=main"),
    (log) => log.includes("No space"),
  );
  expect(text).toBe("hello\nthere\ntmpfs\nNo space left on device\n");
});

test("an emptyDir outlasts a container, whose own writable layer does not", async () => {
  const { volumes, volumeMounts } = mounted({ emptyDir: {} });
  const script = "echo run >>/volume/runs; echo run >>/runs; cat /runs /volume/runs; [ $(wc -l </volume/runs) = 2 ]";
  const text = await namespace.outputOf("outlasts", {
    restartPolicy: "OnFailure",
    volumes,
    containers: [shell(script, { volumeMounts })],
  });
  expect(text).toBe("run\nrun\nrun\n");
});

test("a hostPath is the node's directory, a subPath a part of it, and read-only is read-only", async () => {
  fs.mkdirSync(`${directory}/host/below`, { recursive: true });
  fs.writeFileSync(`${directory}/host/below/file`, "from the node\n");
  const { volumes } = mounted({ hostPath: { path: `${directory}/host`, type: "Directory" } });
  const volumeMounts = [
    { name: "volume", mountPath: "/whole" },
    { name: "volume", mountPath: "/part", subPath: "below" },
    { name: "volume", mountPath: "/named/file", subPath: "below/file", readOnly: true },
    { name: "volume", mountPath: "/own", subPathExpr: "$(POD)" },
  ];
  const env = [{ name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }];
  const script =
    "cat /part/file /named/file; echo changed >/named/file; echo from the pod >/whole/answer; echo own >/own/file; exit 0";
  const text = await namespace.outputOf("host-path", { volumes, containers: [shell(script, { volumeMounts, env })] });
  expect(text).toBe("from the node\nfrom the node\nsh: can't create /named/file: Read-only file system\n");
  expect(fs.readFileSync(`${directory}/host/answer`, "utf8")).toBe("from the pod\n");
  expect(fs.readFileSync(`${directory}/host/host-path/file`, "utf8")).toBe("own\n");
});

test("a recursively read-only mount lets nothing below it be written", async () => {
  const { volumes, volumeMounts } = mounted(
    { hostPath: { path: "/run" } },
    { readOnly: true, recursiveReadOnly: "Enabled" },
  );
  const script = "touch /volume/tmp/x 2>&1; touch /volume/berth/x 2>&1; exit 0";
  const text = await namespace.outputOf("recursive", { volumes, containers: [shell(script, { volumeMounts })] });
  expect(text.match(/Read-only file system/g)).toHaveLength(2);
});

test("mounts travel from the node into the pod and back where that is asked for", async () => {
  const { volumes, volumeMounts } = mounted({ hostPath: { path: directory } }, { mountPropagation: "Bidirectional" });
  await namespace.readyPod("propagation", {
    volumes,
    containers: [idle({ volumeMounts, securityContext: { privileged: true } })],
  });
  await namespace.exec(
    "propagation",
    "sh",
    "-c",
    "mkdir /volume/point && mount -t tmpfs inside /volume/point && echo seen >/volume/point/file",
  );
  expect(fs.readFileSync(`${directory}/point/file`, "utf8")).toBe("seen\n");
  await namespace.exec("propagation", "umount", "/volume/point");
  expect(fs.readdirSync(`${directory}/point`)).toEqual([]);
});

test("an image is a volume, whole or a part of it, and cannot be written", async () => {
  const volumes = [{ name: "image", image: { reference: BUSYBOX_2, pullPolicy: "IfNotPresent" } }];
  const volumeMounts = [
    { name: "image", mountPath: "/image", readOnly: true },
    { name: "image", mountPath: "/part", subPath: "etc", readOnly: true },
  ];
  const script = "cat /etc/version /image/etc/version /part/version; touch /image/x 2>&1; exit 0";
  const text = await namespace.outputOf("image", { volumes, containers: [shell(script, { volumeMounts })] });
  expect(text).toBe("1\n2\n2\ntouch: /image/x: Read-only file system\n");
});
