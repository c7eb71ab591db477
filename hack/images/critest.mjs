// The images that critest pulls, each made of a static busybox, small programs of our own and Debian's nginx.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { busyboxEntries, PATH, SHELL } from "./busybox.cjs";
import { makeImage, makeIndex, makeLayer } from "./image.cjs";

const SOURCES = fileURLToPath(new URL("../../test/images", import.meta.url));
const E2E = "e2e-test-images";
const STAGING = "k8s-staging-cri-tools";

/** The static binary of a C file in test/images. */
function compile(name) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "berth-cc-"));
  try {
    const binary = path.join(directory, name);
    // Without a build ID or symbols the binary is the same each time.
    const flags = ["-static", "-Os", "-s", "-Wl,--build-id=none"];
    execFileSync("gcc", [...flags, "-o", binary, path.join(SOURCES, `${name}.c`)]);
    return fs.readFileSync(binary);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/** Every directory above the paths, parents first. */
function parents(paths) {
  const all = new Set();
  for (const one of paths) for (let up = path.dirname(one); up !== "."; up = path.dirname(up)) all.add(up);
  return [...all].sort();
}

/** The host's nginx with the libraries that it links, serving one page on a port. */
function nginxEntries(port) {
  const binary = "/usr/sbin/nginx";
  const libraries = execFileSync("ldd", [binary], { encoding: "utf8" }).match(/\/\S+/g);
  const files = [binary, ...libraries].map((file) => ({
    path: file.slice(1),
    mode: 0o755,
    body: fs.readFileSync(file),
  }));
  const configuration = `user root;
worker_processes 1;
pid /var/run/nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
http {
  access_log off;
  server { listen ${port}; root /srv; }
}
`;
  files.push({ path: "etc/nginx/nginx.conf", body: configuration }, { path: "srv/index.html", body: "berth\n" });
  const written = ["var/run/x", "var/log/nginx/x", "var/lib/nginx/x"];
  const directories = parents([...files.map((file) => file.path), ...written]);
  return [...directories.map((one) => ({ path: one, type: "dir" })), ...files];
}

/**
 * The image that critest pulls by digest. It is only pulled, never run, so it holds one file, not compressed: its digest
 * is the same wherever it is made. hack/build-tools.sh puts that digest in the place of the public image's.
 */
export const digestImage = () =>
  makeImage({
    layers: [makeLayer([{ path: "test-image-digest", body: "test-image-digest" }], "none")],
    architecture: "amd64",
  });

/** What a sandbox of other runtimes runs. */
export function pauseSource(tag) {
  const layer = makeLayer([{ path: "pause", mode: 0o755, body: compile("pause") }]);
  const config = { Env: [PATH], Entrypoint: ["/pause"], User: "65535:65535", Labels: { tag } };
  return { layers: [layer], config, flavour: "docker" };
}

/** What critest pulls, as { repository, tags, image }; the registry's host does not matter. */
export function critestImages(busybox) {
  const base = makeLayer(busyboxEntries(busybox));
  const images = [];
  const add = (repository, tags, source, { index = false } = {}) => {
    const image = makeImage(source);
    images.push({ repository, tags, image: index ? makeIndex([image]) : image });
  };

  add(`${E2E}/busybox`, ["1.29-2"], { layers: [base], config: SHELL }, { index: true });
  add("library/busybox", ["latest", "1.36"], { layers: [base], config: SHELL, flavour: "docker" }, { index: true });

  for (const tag of ["3.9", "3.10", "3.10.1", "3.10.2"]) add("pause", [tag], pauseSource(tag), { index: true });

  const setuid = makeLayer([{ path: "nnp", mode: 0o4755, body: compile("print-effective-uid") }]);
  add(`${E2E}/nonewprivs`, ["1.3"], { layers: [base, setuid], config: { Env: [PATH], Entrypoint: ["/nnp"] } });

  const nginx = ["nginx", "-g", "daemon off;"];
  const web = (repository, tag, port, Cmd) => {
    const config = { Env: [PATH], Cmd, ExposedPorts: { [`${port}/tcp`]: {} }, StopSignal: "SIGQUIT" };
    add(repository, [tag], { layers: [base, makeLayer(nginxEntries(port))], config });
  };
  web(`${E2E}/nginx`, "1.14-2", 80, nginx);
  web(`${E2E}/httpd`, "2.4.39-4", 80, ["sh", "-c", "echo httpd; exec nginx -g 'daemon off;'"]);
  web(`${STAGING}/hostnet-nginx-amd64`, "latest", 12003, nginx);
  web(`${STAGING}/hostnet-nginx-arm64`, "latest", 12003, nginx);

  // Images that must differ do so by a file.
  const marked = (name, tags, mark = name) =>
    add(`${STAGING}/${name}`, tags, { layers: [base, makeLayer([{ path: mark, body: mark }])], config: SHELL });
  for (const n of [1, 2, 3]) marked(`test-image-${n}`, ["latest"]);
  marked("test-image-tags", ["1", "2", "3"]);
  marked("test-image-latest", ["latest"]);
  marked("test-image-tag", ["test"]);
  marked("test-image-tag", ["all"], "test-image-tag-all");
  images.push({ repository: `${STAGING}/test-image-digest`, tags: ["test"], image: digestImage() });

  const users = { uid: "1002", username: "www-data", "uid-group": "1003:1003", "username-group": "www-data:100" };
  for (const [kind, User] of Object.entries(users))
    add(`${STAGING}/test-image-user-${kind}`, ["latest"], { layers: [base], config: { ...SHELL, User } });

  const predefined = makeLayer([
    {
      path: "etc/passwd",
      body: "root:x:0:0:root:/root:/bin/sh\ndefault-user:x:1000:1000::/home:/bin/sh\n",
    },
    { path: "etc/group", body: "root:x:0:\ndefault-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\n" },
  ]);
  const config = { ...SHELL, User: "1000" };
  add(`${STAGING}/test-image-predefined-group`, ["latest"], { layers: [base, predefined], config });
  return images;
}
