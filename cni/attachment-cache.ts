import fs from "node:fs";
import path from "node:path";
import { BerthError, messageOf } from "../api/errors";
import type { SandboxId } from "../api/ids";
import { removeTemporaries, writeFileDurably } from "../sys/durable-file";
import type { Attachment } from "./attachment";
import { isJsonObject, type JsonObject, parseJsonObject } from "./json-object";
import { checkNetworkConfig } from "./network-config";

const recordVersion = 1;
const filePattern = /^([0-9a-f]{64})\.json$/;

/**
 * Attachments on disk, one file for each sandbox. A record is there before the first plugin runs and goes after the
 * last DEL has succeeded, so that no crash and no reboot loses an address (CNI spec 1.1.0, section 2 "DEL"). Nobody waits
 * for the disk: a file system that loses power keeps the order of its files' names, if not what is in them, and the name
 * is enough for the addresses to be given back, which are all that outlives a reboot.
 */
export class AttachmentCache {
  private readonly ids: Set<SandboxId>;

  /** Makes `directory` where it is missing, and removes what a crash has left half written. */
  constructor(private readonly directory: string) {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    removeTemporaries(directory);
    const found = fs.readdirSync(directory).flatMap((name) => filePattern.exec(name)?.[1] ?? []);
    this.ids = new Set(found as SandboxId[]);
  }

  /** The sandboxes with a record, readable or not. */
  list(): SandboxId[] {
    return [...this.ids];
  }

  has(id: SandboxId): boolean {
    return this.ids.has(id);
  }

  async write(attachment: Attachment): Promise<void> {
    const file = this.fileOf(attachment.sandboxId);
    this.ids.add(attachment.sandboxId);
    try {
      await writeFileDurably(file, JSON.stringify({ version: recordVersion, ...attachment }), { sync: false });
    } catch (error) {
      if (!fs.existsSync(file)) this.ids.delete(attachment.sandboxId);
      throw error;
    }
  }

  /** Throws NotFound where there is no record, and FailedPrecondition where it is damaged or of a newer version. */
  async read(id: SandboxId): Promise<Attachment> {
    const file = this.fileOf(id);
    let text: string;
    try {
      text = await fs.promises.readFile(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new BerthError("NotFound", `there is no network attachment of sandbox ${id}`);
    }
    try {
      return check(parseJsonObject(text), id);
    } catch (error) {
      throw new BerthError("FailedPrecondition", `${file} cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }

  async remove(id: SandboxId): Promise<void> {
    await fs.promises.rm(this.fileOf(id), { force: true });
    this.ids.delete(id);
  }

  /** Takes a damaged record out of the way without destroying it. Returns where it lies now. */
  async setAside(id: SandboxId): Promise<string> {
    const aside = `${this.fileOf(id)}.damaged`;
    await fs.promises.rename(this.fileOf(id), aside);
    this.ids.delete(id);
    return aside;
  }

  private fileOf(id: SandboxId): string {
    const name = `${id}.json`;
    if (!filePattern.test(name)) {
      throw new BerthError("InvalidArgument", `"${String(id).slice(0, 100)}" is not a sandbox ID`);
    }
    return path.join(this.directory, name);
  }
}

function check(record: JsonObject, id: SandboxId): Attachment {
  const { version, sandboxId, netnsPath, ifName, args, capabilityArgs, result } = record;
  if (version !== recordVersion) {
    const shown = typeof version === "number" ? `of version ${version}` : "without a version";
    throw damaged(`it is ${shown}, known is ${recordVersion}`);
  }
  if (sandboxId !== id) throw damaged("it is of another sandbox");
  if (typeof netnsPath !== "string" || typeof ifName !== "string" || typeof args !== "string") {
    throw damaged("netnsPath, ifName or args is missing");
  }
  if (!isJsonObject(capabilityArgs) || !(result === undefined || isJsonObject(result))) {
    throw damaged("capabilityArgs or result is missing");
  }
  const network = checkNetworkConfig(record["network"]);
  return { sandboxId: id, network, netnsPath, ifName, args, capabilityArgs, ...(result ? { result } : {}) };
}

const damaged = (message: string) => new BerthError("FailedPrecondition", message);
