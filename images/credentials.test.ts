import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AuthConfig, loadCredentials } from "./credentials";

const base64 = (text: string) => Buffer.from(text).toString("base64");
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "berth-auth-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function requested(auth: AuthConfig, host: string, imageHost = "r.example") {
  const choose = await loadCredentials({ auth, registries: {}, authFiles: [] });
  return choose({ host, image: { host: imageHost, repository: "x" } });
}

test("loadCredentials() gives the request's to the image's registry only when no server_address is set", async () => {
  const auth = { username: "u", password: "p" };
  expect(await requested(auth, "r.example")).toEqual(auth);
  expect(await requested(auth, "r.example:443")).toEqual(auth);
  expect(await requested(auth, "mirror.example")).toBeUndefined();
  expect(await requested(auth, "r.example:5000")).toBeUndefined();
  expect(await requested(auth, "registry-1.docker.io", "docker.io")).toEqual(auth);
});

test("loadCredentials() gives the request's to the named host alone when server_address is set", async () => {
  const auth = { username: "u", password: "p", serverAddress: "https://index.docker.io/v1/" };
  expect(await requested(auth, "r.example")).toBeUndefined();
  expect(await requested(auth, "registry-1.docker.io", "docker.io")).toEqual({ username: "u", password: "p" });
  expect(await requested({ ...auth, serverAddress: "mirror.example" }, "mirror.example")).toMatchObject({
    username: "u",
  });
});

test("loadCredentials() takes each kind that an AuthConfig can hold", async () => {
  expect(await requested({ auth: base64("u:p:q") }, "r.example")).toEqual({ username: "u", password: "p:q" });
  expect(await requested({ identityToken: "i", username: "", password: "" }, "r.example")).toEqual({
    identityToken: "i",
  });
  expect(await requested({ registryToken: "r" }, "r.example")).toEqual({ registryToken: "r" });
  expect(await requested({ username: "", password: "", auth: "" }, "r.example")).toBeUndefined();
});

test("loadCredentials() throws without quoting when the request's auth is malformed", async () => {
  const error = await requested({ auth: base64("hunter2") }, "r.example").catch((thrown) => thrown);
  expect(error).toMatchObject({ code: "InvalidArgument" });
  expect(error.message).not.toContain(base64("hunter2"));
});

test("loadCredentials() goes from the request to the configuration to the files", async () => {
  const file = join(directory, "config.json");
  writeFileSync(
    file,
    JSON.stringify({
      auths: {
        "https://index.docker.io/v1/": { auth: base64("hub:1") },
        "r.example": { auth: base64("file:2") },
        "r.example/team": { username: "team", password: "3" },
        "idp.example": { identitytoken: "t", auth: base64("<token>:") },
        "helper.example": {},
      },
      credsStore: "desktop",
    }),
  );
  const choose = await loadCredentials({
    auth: { username: "req", password: "0", serverAddress: "r.example" },
    registries: { "mirror.example:5000": { username: "conf", password: "4", identity_token: "" } },
    authFiles: [file, join(directory, "absent.json")],
  });
  const at = (host: string, repository = "x") => choose({ host, image: { host: "docker.io", repository } });
  expect(at("r.example")).toEqual({ username: "req", password: "0" });
  expect(at("mirror.example:5000")).toEqual({ username: "conf", password: "4" });
  expect(at("registry-1.docker.io")).toEqual({ username: "hub", password: "1" });
  expect(at("idp.example")).toEqual({ identityToken: "t" });
  expect(at("helper.example")).toBeUndefined();
  const unasked = await loadCredentials({ registries: {}, authFiles: [file] });
  const inTeam = (repository: string) => unasked({ host: "r.example", image: { host: "r.example", repository } });
  expect(inTeam("team/app")).toEqual({ username: "team", password: "3" });
  expect(inTeam("teamwork/app")).toEqual({ username: "file", password: "2" });
});

test.each(["{", "[]x", '{"auths": 5}', '{"auths": {"h": {"auth": "c2VjcmV0"}}}', '{"auths": {"h": {"auth": 5}}}'])(
  "loadCredentials() names the file and quotes nothing when it is %j",
  async (text) => {
    const file = join(directory, "bad.json");
    writeFileSync(file, text);
    const error = await loadCredentials({ registries: {}, authFiles: [file] }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "InvalidArgument" });
    expect(error.message).toContain(file);
    expect(error.message).not.toContain("c2VjcmV0");
  },
);

test.each(["a\u001b[2J", "a b", "a\nx-other: y", "é"])(
  "loadCredentials() refuses the token %j, which no header can carry, and does not quote it",
  async (registryToken) => {
    const error = await loadCredentials({ auth: { registryToken }, registries: {}, authFiles: [] }).catch((e) => e);
    expect(error).toMatchObject({ code: "InvalidArgument" });
    expect(error.message).not.toContain(registryToken);
  },
);

test("loadCredentials() refuses an auth file that is no file, without waiting for what it has to say", async () => {
  const fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  await expect(loadCredentials({ registries: {}, authFiles: [fifo] })).rejects.toMatchObject({
    code: "InvalidArgument",
    message: `auth file ${fifo}: is not a regular file`,
  });
});
