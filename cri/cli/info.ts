import type { StatusResponse } from "../../api/messages";
import { type Command, configHelp, printJson, withClient } from "./command";
import { size } from "./table";

export const info: Command = {
  usage: "info [--output json] [--config FILE]",
  help: `Tells what the daemon is, what it runs pods by, and whether pods can run.\n
  --output json   as JSON\n${configHelp}`,
  options: { output: { type: "string" } },
  run: (values) =>
    withClient(values, async (client, config) => {
      const [version, status, { imageFilesystems, containerFilesystems }] = await Promise.all([
        client.runtime("Version", {}),
        client.runtime("Status", { verbose: true }),
        client.image("ImageFsInfo", {}),
      ]);
      const used = [imageFilesystems, containerFilesystems].map((each) => Number(each[0]?.usedBytes?.value ?? 0n));
      const [imageBytes = 0, containerBytes = 0] = used;
      const parsed = Object.fromEntries(Object.entries(status.info).map(([key, text]) => [key, JSON.parse(text)]));
      if (values["output"] === "json") {
        printJson({ version, ...status, info: parsed, imageBytes, containerBytes });
        return 0;
      }
      const { runtime, network, objects } = parsed as Verbose;
      const lines: [string, string][] = [
        ["Berth", `${version.runtimeVersion}, CRI ${version.runtimeApiVersion}, Node.js ${runtime.node}`],
        ["socket", config.socket],
        ...conditions(status),
        ["network", network.name ?? "none"],
        ...Object.entries(runtime.handlers).map(([name, { version: of }]): [string, string] => [
          `handler ${name}`,
          `${of}${name === runtime.defaultHandler ? ", the default" : ""}`,
        ]),
        ["cgroups", `${runtime.cgroupVersion}, driver ${runtime.cgroupDriver}`],
        ["user namespaces", runtime.noUserNamespaces ?? "yes"],
        ["pods, containers", `${objects.sandboxes}, ${objects.containers}`],
        ["images", `${size(imageBytes)} in ${config.root}`],
        ["written by containers", size(containerBytes)],
      ];
      const width = Math.max(...lines.map(([name]) => name.length));
      process.stdout.write(lines.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join(""));
      return 0;
    }),
};

interface Verbose {
  runtime: {
    node: string;
    defaultHandler: string;
    handlers: Record<string, { version: string }>;
    cgroupVersion: string;
    cgroupDriver: string;
    noUserNamespaces?: string;
  };
  network: { name: string | null };
  objects: { sandboxes: number; containers: number };
}

const conditions = ({ status }: StatusResponse): [string, string][] =>
  (status?.conditions ?? []).map(({ type, status: holds, reason, message }) => [
    type,
    holds ? "true" : `false, ${reason}: ${message}`,
  ]);
