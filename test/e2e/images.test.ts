import http from "node:http";
import type { AddressInfo } from "node:net";
import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { busyboxImage, makeLayer } from "../support/images";
import { pushImage } from "../../hack/images/push.cjs";
import { eventually } from "./support/eventually";
import { Namespace, shell, statusOf } from "./support/namespace";

let namespace: Namespace;
/** The registry that stands for every other. */
const registry = process.env["BERTH_CLUSTER_REGISTRY"] ?? "";
beforeAll(async () => {
  namespace = await Namespace.create("images");
});
afterAll(() => namespace.remove());

const versioned = (version: string) => busyboxImage({}, makeLayer([{ path: "etc/version", body: `${version}\n` }]));
const show = (image: string, imagePullPolicy: string) => ({
  containers: [{ ...shell("cat /etc/version"), image, imagePullPolicy }],
});

test("IfNotPresent keeps the image that is there, Always asks for the tag's newest", async () => {
  const repository = `e2e/${namespace.name}`;
  await pushImage(registry, repository, ["moving"], versioned("old"));
  expect(await namespace.outputOf("first", show(`${repository}:moving`, "IfNotPresent"))).toBe("old\n");
  const digest = await pushImage(registry, repository, ["moving"], versioned("new"));
  expect(await namespace.outputOf("kept", show(`${repository}:moving`, "IfNotPresent"))).toBe("old\n");
  expect(await namespace.outputOf("newest", show(`${repository}:moving`, "Always"))).toBe("new\n");
  expect(statusOf(await namespace.read("newest"))?.imageID).toContain(digest);
  expect(await namespace.outputOf("pinned", show(`${repository}@${digest}`, "IfNotPresent"))).toBe("new\n");
});

test("Never runs only what is there", async () => {
  await namespace.pod("never", show("e2e/no-such-image:1", "Never"));
  await namespace.until("never", "waits", (pod) => statusOf(pod)?.state?.waiting?.reason === "ErrImageNeverPull");
});

test("an image that does not exist is said to be missing, with the registry's answer", async () => {
  await namespace.pod("missing", show("e2e/no-such-image:1", "IfNotPresent"));
  await namespace.until("missing", "backs off", (pod) => statusOf(pod)?.state?.waiting?.reason === "ImagePullBackOff");
  const events = (await namespace.events("missing")).join("\n");
  expect(events).toMatch(/Failed to pull image "e2e\/no-such-image:1".*(not found|manifest unknown)/);
});

test("an image of a private registry is pulled with the pod's secret, and not without", async () => {
  const password = "correct horse";
  const expected = `Basic ${Buffer.from(`berth:${password}`).toString("base64")}`;
  // In front of the registry, a door.
  const door = http.createServer((request, response) => {
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="e2e"' }).end("{}");
      return;
    }
    const { authorization: _, ...headers } = request.headers;
    const onward = http.request(
      new URL(request.url ?? "/", registry),
      { method: request.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(door.address() as AddressInfo).port}`;
  const hosts = `/etc/berth/certs.d/${host}`;
  fs.mkdirSync(hosts, { recursive: true });
  fs.writeFileSync(`${hosts}/hosts.toml`, `server = "http://${host}"\n`);
  try {
    const repository = `private/${namespace.name}`;
    await pushImage(registry, repository, ["1"], versioned("private"));
    const image = `${host}/${repository}:1`;
    await namespace.pod("without", show(image, "IfNotPresent"));
    await namespace.until("without", "may not pull", (pod) =>
      ["ErrImagePull", "ImagePullBackOff"].includes(statusOf(pod)?.state?.waiting?.reason ?? ""),
    );
    const auth = ["--docker-username=berth", `--docker-password=${password}`];
    await namespace.kubectl("create", "secret", "docker-registry", "door", `--docker-server=${host}`, ...auth);
    const source = { ...show(image, "IfNotPresent"), imagePullSecrets: [{ name: "door" }] };
    expect(await namespace.outputOf("with", source)).toBe("private\n");
    const events = await eventually(
      "the event",
      () => namespace.events("without"),
      (all) => all.some((one) => one.startsWith("Failed:")),
    );
    expect(events.join("\n")).toMatch(/unauthorized|401/i);
    expect(events.join("\n")).not.toContain(password);
  } finally {
    door.closeAllConnections();
    door.close();
    fs.rmSync(hosts, { recursive: true, force: true });
  }
});
