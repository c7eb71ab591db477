import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { normalise } from "./stage.mjs";

const scripts = {
  // Starts nothing that did not run: what a node's runtime is stays the operator's word.
  postinst: `if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  [ -z "$2" ] || systemctl try-restart berth.service
fi`,
  // Pods go on without the daemon; \`berth node uninstall\` ends them.
  prerm: `if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now berth.service
fi`,
  postrm: `if [ "$1" != upgrade ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi`,
};

/**
 * Makes a Debian package of a staged release: the tree in /usr/lib/berth, /usr/bin/berth, the unit, and a configuration
 * in which every option is a comment. `release` has directory, version, architecture, configuration, time and output.
 */
export function makeDebianPackage(release) {
  const root = `${release.directory}.deb`;
  const at = (...names) => path.join(root, ...names);
  fs.rmSync(root, { recursive: true, force: true });
  fs.cpSync(release.directory, at("usr/lib/berth"), { recursive: true, verbatimSymlinks: true });
  for (const one of ["usr/bin", "usr/lib/systemd/system", "usr/share/doc", "etc/berth", "DEBIAN"]) {
    fs.mkdirSync(at(one), { recursive: true });
  }
  fs.symlinkSync("../lib/berth/bin/berth", at("usr/bin/berth"));
  fs.renameSync(at("usr/lib/berth/docs"), at("usr/share/doc/berth"));
  fs.renameSync(at("usr/lib/berth/README.md"), at("usr/share/doc/berth/README.md"));
  const licences = fs.readFileSync(at("usr/lib/berth/THIRD-PARTY-LICENCES.md"), "utf8");
  fs.rmSync(at("usr/lib/berth/THIRD-PARTY-LICENCES.md"));
  fs.writeFileSync(at("usr/share/doc/berth/copyright"), `${ownLicence}\n\n${licences}`);

  const unit = fs
    .readFileSync(at("usr/lib/berth/manifests/systemd/berth.service"), "utf8")
    .replace(/^# \/etc.*\n/, "")
    .replace("/opt/berth/bin/berth", "/usr/bin/berth")
    .replace("/opt/berth/docs", "/usr/share/doc/berth");
  if (unit.includes("/opt/")) throw new Error("the unit names /opt though the package is in /usr");
  fs.writeFileSync(at("usr/lib/systemd/system/berth.service"), unit);
  fs.rmSync(at("usr/lib/berth/manifests/systemd"), { recursive: true });
  fs.writeFileSync(at("etc/berth/config.toml"), release.configuration);

  fs.writeFileSync(at("DEBIAN/conffiles"), "/etc/berth/config.toml\n");
  fs.writeFileSync(at("DEBIAN/control"), control(release, sizeOf(root)));
  for (const [name, body] of Object.entries(scripts)) {
    fs.writeFileSync(at("DEBIAN", name), `#!/bin/sh\nset -e\n${body}\n`, { mode: 0o755 });
  }
  normalise(root, release.time);
  execFileSync("dpkg-deb", ["--root-owner-group", "-Zgzip", "-z6", "--build", root, release.output], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(release.time) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  fs.rmSync(root, { recursive: true });
}

const ownLicence = `Berth is under the Apache License 2.0; on Debian its text is /usr/share/common-licenses/Apache-2.0.
The package contains what follows, each under its own licence.`;

const control = ({ version, architecture }, sizeKib) => `Package: berth
Version: ${version}
Architecture: ${architecture}
Maintainer: Berth <berth@localhost>
Installed-Size: ${sizeKib}
Depends: conmon, crun | runc, containernetworking-plugins, iptables, util-linux, libc6 (>= 2.28), libstdc++6
Section: admin
Priority: optional
Description: container runtime for Kubernetes nodes
 One daemon serves the CRI (RuntimeService and ImageService, v1) on a unix
 socket, in the place of containerd or CRI-O. crun or runc run the containers,
 conmon watches them, CNI plugins connect them.
 .
 The package brings its own Node.js.
`;

function sizeOf(root) {
  const files = fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.reduce((sum, { parentPath, name }) => sum + fs.statSync(path.join(parentPath, name)).size, 0);
  return Math.ceil(bytes / 1024);
}
