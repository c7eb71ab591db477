import { execFileSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import type { NodeView } from "../../cri/page/model";
import { berth } from "../support/berth";
import { startDaemon, type TestDaemon } from "../support/daemon";
import { busyboxImage } from "../support/images";
import { type TestRegistry, testRegistry } from "../support/registry";
import { freePort } from "../support/unique";

// a command of ours is a process, which a busy machine starts slowly
jest.setTimeout(20_000);

/** The node's page in a real browser. */
let registry: TestRegistry;
let daemon: TestDaemon;
let browser: BrowserContext;
let page: Page;
let image = "";
let port = 0;
const complaints: string[] = [];
const secret = "hunter2-in-an-environment";

const run = (...args: string[]) => berth(daemon.configFile, ...args);

beforeAll(async () => {
  registry = await testRegistry();
  image = await registry.push("test/busybox", busyboxImage({ Env: [`TOKEN=${secret}`] }));
  port = await freePort();
  daemon = await startDaemon({ registry: registry.url, options: { metrics: { address: `127.0.0.1:${port}` } } });
  await run("run", "--detach", "--name", "web", image, "sleep", "600");
  await run("run", "--detach", "--name", "dead", image, "sh", "-c", "exit 3");
  browser = await chromium.launchPersistentContext(path.join(daemon.directory, "browser"), {
    executablePath: execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim(),
    headless: true,
    viewport: { width: 1500, height: 1000 },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  page = browser.pages()[0] ?? (await browser.newPage());
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("request", (request) => {
    if (new URL(request.url()).host !== `127.0.0.1:${port}`) complaints.push(`asks ${request.url()}`);
  });
  await page.goto((await run("ui")).trim());
  await page.getByText("live", { exact: true }).waitFor();
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await daemon?.remove();
  await registry?.stop();
}, 60_000);

// biome-ignore lint: as it is read, a space between cells
const textOf = (selector: string) => page.locator(selector).innerText();

test("the page shows pods with their containers, images, space and calls", async () => {
  const pods = await textOf("#pods");
  expect(pods).toMatch(/berth\/web\s+ready\s+10\.\d+\.\d+\.\d+/);
  expect(pods).toMatch(/main\s+running\s+\S*test\/busybox:latest/);
  expect(pods).toMatch(/main\s+error 3/);
  expect(await textOf("#images")).toMatch(/test\/busybox:latest\s+[\d.]+ MiB\s+2\s/);
  expect(await textOf("#latencies")).toMatch(/RunPodSandbox\s+2\s+–\s+[\d.]+ m?s/);
  const tiles = await textOf("#tiles");
  expect(tiles).toMatch(/Pods ready\s+2\s+of 2/);
  expect(tiles).toMatch(/Containers running\s+1\s+1 exited/);
  expect(tiles).toMatch(/Space at \S+\s+[\d.]+ [MGT]iB\s+left, \d+ %/);
  expect(await textOf("header")).toContain(`network ${daemon.network}`);
});

test("the filter leaves what it names", async () => {
  await page.locator("#filter").fill("dead");
  expect(await textOf("#pods")).not.toContain("web");
  expect(await textOf("#pods")).toContain("dead");
  await page.locator("#filter").fill("nothing like it");
  expect(await textOf("#pods")).toContain("Nothing matches the filter.");
  await page.locator("#filter").fill("");
});

test("what happens comes by itself, and what a container calls itself is no markup", async () => {
  // a tag that is run would change the title
  const hostile = "<img src=x onerror=\"document.title='taken'\">";
  const config = path.join(daemon.directory, "hostile.json");
  // plugins of CNI would refuse the name
  const hostNetwork = { security_context: { namespace_options: { network: 2 } } };
  fs.writeFileSync(
    config,
    JSON.stringify({ metadata: { name: hostile, namespace: "n", uid: "u" }, linux: hostNetwork }),
  );
  const own = ["--config", "/dev/null", "--runtime-endpoint", daemon.endpoint];
  const pod = execFileSync(path.join(__dirname, "../../build/tools/crictl"), [...own, "runp", config], {
    encoding: "utf8",
  }).trim();
  await page.locator("#events").getByText(`n/${hostile}`).first().waitFor();
  await page.locator("#pods").getByText(hostile).waitFor();
  await run("rm", pod);
  await page.locator("#events li", { hasText: "deleted" }).first().waitFor();
  await page.locator("#pods").getByText(hostile).waitFor({ state: "detached" });
  expect(await page.title()).not.toContain("taken");
  expect(await page.locator("#events img").count()).toBe(0);
});

test("nothing is asked of elsewhere, nothing complains, and no secret is told", async () => {
  expect(complaints).toEqual([]);
  const answer = await fetch(`http://127.0.0.1:${port}/api/node`);
  const text = await answer.text();
  expect((JSON.parse(text) as NodeView).pods).toHaveLength(2);
  expect(text).not.toContain(secret);
  const policy = (await fetch(`http://127.0.0.1:${port}/`)).headers.get("content-security-policy");
  expect(policy).toMatch(/^default-src 'none'; script-src 'self'/);
});

/** Asks as a browser does that was told that the name `host` leads here. */
function statusFor(host: string, url: string, method = "GET"): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port, path: url, method, headers: { host } }, (response) => {
      response.destroy();
      resolve(response.statusCode!);
    });
    request.once("error", reject).end();
  });
}

test("another name that leads here is refused, and so is all that would change something", async () => {
  for (const url of ["/", "/page.js", "/api/node", "/api/events"]) {
    expect(await statusFor(`evil.example:${port}`, url)).toBe(403);
    expect(await statusFor(`127.0.0.1.evil.example:${port}`, url)).toBe(403);
    expect(await statusFor(`localhost:${port}`, url)).toBe(200);
    expect(await statusFor(`127.0.0.1:${port}`, url, "POST")).toBe(405);
  }
  // Prometheus may know the node by its name
  expect(await statusFor(`node.example:${port}`, "/metrics")).toBe(200);
});

test("on an address that others reach there is no page", async () => {
  await daemon.stop();
  const config = fs.readFileSync(daemon.configFile, "utf8");
  fs.writeFileSync(daemon.configFile, config.replace(`127.0.0.1:${port}`, `0.0.0.0:${port}`));
  await daemon.start();
  expect(await statusFor(`127.0.0.1:${port}`, "/")).toBe(404);
  expect(await statusFor(`127.0.0.1:${port}`, "/api/node")).toBe(404);
  expect(await statusFor(`127.0.0.1:${port}`, "/metrics")).toBe(200);
});
