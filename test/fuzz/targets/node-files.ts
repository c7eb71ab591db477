import fs from "node:fs";
import path from "node:path";
import { loadCredentials } from "../../../images/credentials";
import { parseSpec } from "../../../oci/cdi/parse-spec";
import { encodeSpec } from "../../../oci/runtime-spec";
import { parseProfile } from "../../../oci/seccomp/parse-profile";
import { workDirectory as directory } from "../canary";
import { checkError } from "../check-error";
import { type FuzzTarget, promise } from "../target";

const authFile = path.join(directory, "config.json");

/** Auth files, CDI files as JSON and as YAML, seccomp profiles: the first byte says which. */
export const target: FuzzTarget = {
  form: "json",
  formAt: 1,
  seeds,
  async run(input) {
    const text = input.toString("utf8", 1);
    const kind = (input[0] ?? 0) & 3;
    try {
      await readers[kind]!(text);
    } catch (error) {
      checkError(error, ["InvalidArgument"]);
      const tells = kind === 0 && error.message.includes("hunter2") && !text.includes('"hunter2":');
      promise(!tells, () => "an error tells a password");
    }
  },
};

const readers: ((text: string) => void | Promise<void>)[] = [
  async (text) => {
    fs.writeFileSync(authFile, text);
    const choose = await loadCredentials({ registries: {}, authFiles: [authFile] });
    for (const host of ["docker.io", "h.io:5000", "[::1]", "constructor"]) {
      const chosen = choose({ host, image: { host, repository: "a/b" } }) ?? {};
      for (const value of Object.values(chosen))
        promise(typeof value === "string", () => "credentials that are no text");
    }
  },
  (text) => checkSpec(parseSpec(text, "/x.json")),
  (text) => checkSpec(parseSpec(text, "/x.yaml")),
  (text) => {
    const profile = parseProfile(text);
    const again = parseProfile(encodeSpec(profile));
    promise(encodeSpec(again) === encodeSpec(profile), () => "a profile changes when it is written");
  },
];

function checkSpec({ devices, edits }: ReturnType<typeof parseSpec>): void {
  promise(devices.size > 0, () => "a file without devices");
  for (const each of [edits, ...devices.values()]) {
    for (const { path: node } of each.deviceNodes) promise(path.isAbsolute(node), () => `the node ${node}`);
    for (const entry of each.env) promise(/^[^=\0]+=/.test(entry), () => `the variable ${JSON.stringify(entry)}`);
    JSON.stringify(each);
  }
}

function seeds(): Buffer[] {
  const auth = {
    auths: {
      "https://index.docker.io/v1/": { auth: Buffer.from("user:hunter2").toString("base64") },
      "h.io:5000/team": { username: "u", password: "hunter2" },
      "x.io": { identitytoken: "hunter2" },
      "y.io": { registrytoken: "hunter2" },
      "z.io": {},
    },
    credsStore: "x",
  };
  const edits = {
    env: ["FOO=bar=baz"],
    deviceNodes: [
      {
        path: "/dev/a",
        hostPath: "/dev/b",
        type: "u",
        major: 1,
        minor: 2,
        permissions: "rw",
        fileMode: 438,
        uid: 0,
        gid: 1,
      },
    ],
    mounts: [{ hostPath: "/h", containerPath: "/c", type: "bind", options: ["ro"] }],
    hooks: [{ hookName: "createContainer", path: "/bin/hook", args: ["hook"], env: ["A=b"], timeout: 5 }],
    additionalGids: [0, 44],
    intelRdt: { closID: "class", schemata: ["L3:0=f"], enableMonitoring: true },
    netDevices: [{ hostInterfaceName: "eth5", name: "eth1" }],
  };
  const spec = {
    cdiVersion: "1.1.0",
    kind: "vendor.com/class",
    annotations: { a: "b" },
    devices: [{ name: "0", annotations: {}, containerEdits: edits }],
    containerEdits: edits,
  };
  const yaml = `cdiVersion: "0.6.0"
kind: vendor.com/class
devices:
  - name: 0:1
    containerEdits: &edits
      deviceNodes:
        - { path: /dev/a, fileMode: 0644, permissions: rw }
  - name: other
    containerEdits: *edits
containerEdits:
  env: ["A=b"]
`;
  const profile = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 1,
    architectures: ["SCMP_ARCH_X86_64"],
    flags: ["SECCOMP_FILTER_FLAG_LOG"],
    syscalls: [
      {
        names: ["read"],
        action: "SCMP_ACT_ALLOW",
        args: [{ index: 0, value: 1, valueTwo: 2, op: "SCMP_CMP_MASKED_EQ" }],
      },
    ],
  };
  const of = (kind: number, text: string) => Buffer.concat([Buffer.from([kind]), Buffer.from(text)]);
  return [
    of(0, JSON.stringify(auth)),
    of(1, JSON.stringify(spec)),
    of(2, JSON.stringify(spec)),
    of(2, yaml),
    of(3, JSON.stringify(profile)),
    of(3, JSON.stringify(profile).replace('"value":1', '"value":18446744073709551615')),
  ];
}
