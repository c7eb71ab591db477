import { StatePaths } from "../state-paths";
import { askDaemon } from "../doctor/daemon";
import { findLeaks } from "../doctor/leaks";
import { takeAway } from "../doctor/take-away";
import { type Command, configHelp, secondsOf, withClient } from "./command";
import { size } from "./table";

export const gc: Command = {
  usage: "gc [--images] [--min-age S] [--config FILE]",
  help: `Removes what nothing uses: blobs and layers of no image, network attachments of pods that are gone, and mounts,
namespaces, monitors and records that belong to no pod and no container. Exits with 1 where something of it
could not be removed.

  --images        images that no container uses too, but those that are pinned
  --min-age S     leave alone what is younger, in seconds (600)
${configHelp}`,
  options: { images: { type: "boolean" }, "min-age": { type: "string" } },
  run: (values) =>
    withClient(values, async (client, config) => {
      const minAgeS = secondsOf(values, "min-age", 600);
      const images = values["images"] === true;
      const done = await client.berth("CollectGarbage", { images, minAgeS: BigInt(minAgeS) });
      const daemon = await askDaemon(config.socket);
      // without a daemon's word nothing is known to be nobody's
      const leaks = daemon
        ? await findLeaks({ config, paths: new StatePaths(config.state), daemon, minAgeMs: minAgeS * 1000 })
        : [];
      const { taken, failed } = await takeAway(leaks, config);
      for (const id of done.removedImages) process.stdout.write(`removed image ${id}\n`);
      for (const { kind, what } of taken) process.stdout.write(`removed ${kind} ${what}\n`);
      process.stdout.write(
        `removed ${done.removedBlobs} blobs, ${done.removedLayers} layers, ${done.removedAttachments} network ` +
          `attachments, ${taken.length} leftovers; freed ${size(Number(done.freedBytes))}\n`,
      );
      const problems = [...done.failed, ...failed];
      for (const problem of problems) process.stderr.write(`berth gc: ${problem}\n`);
      return problems.length > 0 ? 1 : 0;
    }),
};
