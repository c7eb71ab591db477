import fs from "node:fs/promises";

const profilesFile = "/sys/kernel/security/apparmor/profiles";

/** Whether the kernel has a profile. Throws where the list can't be read, as without securityfs. */
export async function isProfileLoaded(name: string, file = profilesFile): Promise<boolean> {
  const loaded = await fs.readFile(file, "utf8");
  // each line is a name and its mode: "name (enforce)"
  return loaded.split("\n").some((line) => line.startsWith(`${name} (`));
}
