import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BerthError, during } from "../api/errors";
import type { HostSettings } from "./hosts-file";

/**
 * Reads a directory as dockerd has it for a registry: each *.crt an authority to trust, each NAME.cert with NAME.key
 * a certificate to show (docs.docker.com, "Verify repository client with certificates").
 * Throws InvalidArgument where one of a pair is missing.
 */
export async function readDockerCertificates(directory: string): Promise<Pick<HostSettings, "ca" | "client">> {
  try {
    const names = (await readdir(directory)).sort();
    const read = (name: string) => readFile(join(directory, name), "utf8");
    const ca = await Promise.all(names.filter((name) => name.endsWith(".crt")).map(read));
    const client: { cert: string; key: string }[] = [];
    for (const name of names) {
      const partner = name.endsWith(".cert")
        ? `${name.slice(0, -".cert".length)}.key`
        : name.endsWith(".key")
          ? `${name.slice(0, -".key".length)}.cert`
          : undefined;
      if (partner === undefined) continue;
      if (!names.includes(partner)) {
        throw new BerthError("InvalidArgument", `${join(directory, name)}: ${partner} is missing beside it`);
      }
      if (name.endsWith(".cert")) client.push({ cert: await read(name), key: await read(partner) });
    }
    return { ca: ca.length > 0 ? ca : undefined, client: client.length > 0 ? client : undefined };
  } catch (error) {
    throw during("reading a registry's certificates", error);
  }
}
