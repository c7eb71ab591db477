import type { IDMapping } from "../../api/messages";
import type { SpecIdMapping, SpecMount } from "../runtime-spec";
import { checkCount, invalid } from "./check-text";

/** ID mappings as a mount of the spec has them; nothing where there are none. Throws InvalidArgument. */
export function mappingsOf(
  uids: readonly IDMapping[],
  gids: readonly IDMapping[],
): Pick<SpecMount, "uidMappings" | "gidMappings"> {
  if (uids.length === 0 && gids.length === 0) return {};
  if (uids.length === 0 || gids.length === 0) throw invalid("a mount has ID mappings for users or groups alone");
  return { uidMappings: specMappings(uids), gidMappings: specMappings(gids) };
}

export function specMappings(mappings: readonly IDMapping[]): SpecIdMapping[] {
  checkCount("ID mappings", mappings, 340);
  return mappings.map(({ containerId, hostId, length }) => {
    if (length === 0) throw invalid("an ID mapping has the length 0");
    return { containerID: containerId, hostID: hostId, size: length };
  });
}

/** Whether two lists of mappings are one and the same. */
export const sameMappings = (a: readonly IDMapping[], b: readonly IDMapping[]) =>
  a.length === b.length &&
  a.every((mapping, index) => {
    const other = b[index]!;
    return (
      mapping.containerId === other.containerId && mapping.hostId === other.hostId && mapping.length === other.length
    );
  });
