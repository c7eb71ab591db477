// The kubelet hears of the node's shutdown from logind over D-Bus. The node has no systemd, so a stand-in speaks there.
import fs from "node:fs";
import path from "node:path";
import { writeFile } from "./runtime-files.mjs";
import { keepRunning, waitFor } from "./services.cjs";

const SOCKET = "/run/dbus/system_bus_socket";
const CONFIGURATION = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=${SOCKET}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`;

export async function startLogind() {
  const file = "/etc/dbus-node.conf";
  writeFile(file, CONFIGURATION);
  fs.mkdirSync(path.dirname(SOCKET), { recursive: true });
  keepRunning({ name: "dbus", command: ["dbus-daemon", `--config-file=${file}`, "--nofork", "--nopidfile"] });
  await waitFor("D-Bus listens", { of: "dbus" }, () => fs.existsSync(SOCKET));
  keepRunning({ name: "logind", command: ["/usr/bin/python3", path.join(import.meta.dirname, "logind.py")] });
}
