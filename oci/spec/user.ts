import type { LinuxContainerSecurityContext } from "../../api/messages";
import { SupplementalGroupsPolicy } from "../../api/messages";
import { accountsIn, checkAccountFiles, checkAccountId, groupsIn, maxAccountId, parseAccountId } from "./account-files";
import { checkCount, checkNoNul, invalid, quote } from "./check-text";

/** The kernel's own limit (setgroups(2)). */
const mostGroups = 65536;

export interface ResolveUserInput {
  /** Mounted; its /etc/passwd and /etc/group are asked. */
  rootfsPath: string;
  securityContext: Pick<
    LinuxContainerSecurityContext,
    "runAsUser" | "runAsGroup" | "runAsUsername" | "supplementalGroups" | "supplementalGroupsPolicy"
  > | null;
  /** The image's User: "", "user", "uid", "user:group", "uid:gid". */
  imageUser: string;
}

/** Who the first process is, as ContainerStatus.user tells it too. */
export interface ResolvedUser {
  uid: number;
  gid: number;
  /** In ascending order, the primary one among them. */
  additionalGids: number[];
  /** Where the root filesystem knows one. */
  username?: string;
}

/**
 * The user and groups of a container, resolved in its own root filesystem. A number is never taken for a name
 * (CVE-2026-46680), and the image's group memberships count only under the policy Merge (KEP-3619).
 * Throws InvalidArgument for numbers out of range, unknown names, and account files that are not plain, small files.
 */
export async function resolveUser({ rootfsPath, securityContext, imageUser }: ResolveUserInput): Promise<ResolvedUser> {
  const wanted = wantedUser(securityContext, imageUser);
  checkAccountFiles(rootfsPath);
  const account = await findAccount(rootfsPath, wanted.user);
  const uid = typeof wanted.user === "number" ? wanted.user : account!.uid;
  const merge = checkPolicy(securityContext?.supplementalGroupsPolicy ?? SupplementalGroupsPolicy.Merge);
  const { named, memberships } = await readGroups(rootfsPath, {
    named: typeof wanted.group === "string" ? wanted.group : undefined,
    member: merge ? account?.name : undefined,
  });
  const gid = typeof wanted.group === "number" ? wanted.group : (named ?? account?.gid ?? 0);
  const asked = securityContext?.supplementalGroups ?? [];
  const additionalGids = new Set([gid, ...memberships, ...asked.map((group) => checkAccountId("group", group))]);
  checkCount("supplemental groups", [...additionalGids], mostGroups);
  return { uid, gid, additionalGids: [...additionalGids].sort((a, b) => a - b), username: account?.name };
}

interface WantedUser {
  user: number | string;
  /** Undefined is the account's own, or 0 for a number without an account. */
  group?: number | string;
}

function wantedUser(context: ResolveUserInput["securityContext"], imageUser: string): WantedUser {
  const group = context?.runAsGroup ? checkAccountId("group", context.runAsGroup.value) : undefined;
  if (context?.runAsUsername) return { user: parseName("user", context.runAsUsername), group };
  if (context?.runAsUser) return { user: checkAccountId("user", context.runAsUser.value), group };
  if (group !== undefined) throw invalid("run_as_group is set without run_as_user or run_as_username");
  return parseImageUser(imageUser);
}

function parseImageUser(imageUser: string): WantedUser {
  const parts = imageUser.split(":");
  if (parts.length > 2) throw invalid(`the image's user ${quote(imageUser)} has more than one colon`);
  const [user = "", group = ""] = parts;
  return {
    user: user === "" ? 0 : parseName("user", user),
    group: group === "" ? undefined : parseName("group", group),
  };
}

function parseName(what: "user" | "group", text: string): number | string {
  const id = parseAccountId(what, text);
  if (id !== undefined) return id;
  checkNoNul(`the ${what}`, text);
  if (/[\n:]/.test(text)) throw invalid(`the ${what} ${quote(text)} has a newline or a colon`);
  return text;
}

function checkPolicy(policy: number): boolean {
  if (policy === SupplementalGroupsPolicy.Merge) return true;
  if (policy === SupplementalGroupsPolicy.Strict) return false;
  throw invalid(`the supplemental groups policy ${policy} is unknown`);
}

async function findAccount(root: string, user: number | string) {
  for await (const accounts of accountsIn(root)) {
    const found = accounts.find(({ name, uid }) => (typeof user === "number" ? uid : name) === user);
    if (found) return found;
  }
  if (typeof user === "string") throw invalid(`the user ${quote(user)} is not in the container's /etc/passwd`);
  return undefined;
}

async function readGroups(root: string, wanted: { named?: string; member?: string }) {
  const memberships: number[] = [];
  let named: number | undefined;
  if (wanted.named === undefined && wanted.member === undefined) return { named, memberships };
  for await (const groups of groupsIn(root)) {
    named ??= groups.find(({ name }) => name === wanted.named)?.gid;
    if (wanted.member === undefined) continue;
    const { member } = wanted;
    memberships.push(...groups.filter(({ members }) => members.includes(member)).map(({ gid }) => gid));
  }
  if (wanted.named !== undefined && named === undefined) {
    throw invalid(`the group ${quote(wanted.named)} is not in the container's /etc/group`);
  }
  return { named, memberships };
}

/**
 * An image's User as ImageStatus reports it: a uid or a name, never both; the group is left out. "" is neither.
 * A number that no container could run as is reported as a name.
 */
export function imageUser(user: string): { uid?: bigint; username: string } {
  const name = user.split(":", 1)[0] ?? "";
  if (/^[0-9]{1,10}$/.test(name) && Number(name) <= maxAccountId) return { uid: BigInt(name), username: "" };
  return { username: name };
}
