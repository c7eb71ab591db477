import { cleanPath, type TarEntry } from "./unpack/tar-entry";
import { TarReader } from "./unpack/tar-reader";

/** A file or link of an archive. */
export interface ArchiveMember {
  entry: TarEntry;
  /** Of a file; what is not read of it is passed over with the next member. */
  body: AsyncIterable<Buffer>;
}

type Event = { kind: "entry"; entry: TarEntry } | { kind: "data"; bytes: Buffer } | { kind: "end" };

/** Reads a tar archive member by member as its bytes arrive. Throws InvalidArgument where it is damaged. */
export async function* readArchive(source: AsyncIterable<Buffer>, mostEntries: number): AsyncGenerator<ArchiveMember> {
  const events: Event[] = [];
  const reader = new TarReader(
    {
      entry: (entry) => void events.push({ kind: "entry", entry }),
      data: (bytes) => void events.push({ kind: "data", bytes }),
      fileEnd: () => void events.push({ kind: "end" }),
    },
    mostEntries,
  );
  const bytes = source[Symbol.asyncIterator]();
  const next = async (): Promise<Event | undefined> => {
    while (events.length === 0) {
      const read = await bytes.next();
      if (read.done) {
        reader.end();
        return undefined;
      }
      reader.write(read.value);
    }
    return events.shift();
  };
  async function* body(): AsyncGenerator<Buffer> {
    for (let event = await next(); event && event.kind !== "end"; event = await next()) {
      if (event.kind === "data") yield event.bytes;
    }
  }
  try {
    for (let event = await next(); event; event = await next()) {
      if (event.kind !== "entry") continue;
      yield { entry: event.entry, body: event.entry.type === "file" ? body() : nothing() };
    }
  } finally {
    await bytes.return?.(undefined);
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}

/** Where a link inside an archive leads, from the archive's root. Throws InvalidArgument where that is outside. */
export function linkTarget(entry: TarEntry): string {
  if (entry.type === "hardlink") return entry.link;
  const parts = entry.path.split("/").slice(0, -1);
  for (const part of entry.link.split("/")) {
    if (part === ".." && parts.length > 0) parts.pop();
    else parts.push(part);
  }
  return cleanPath(parts.join("/"));
}
