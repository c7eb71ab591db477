import fs from "node:fs";
import path from "node:path";
import { connectMonitor } from "../../../oci/runtime/monitor-attach";
import { SeqpacketListener } from "../../../sys/seqpacket-listener.fixture";
import { workDirectory as directory } from "../canary";
import { type FuzzTarget, promise } from "../target";

const listener = new SeqpacketListener(path.join(directory, "attach"));

/** What a monitor sends to who is attached: each line of an input is a packet, of whatever kind. */
export const target: FuzzTarget = {
  seeds: () =>
    ["\x02out\n\x03err\n\x02more", "\x02\n\x01odd\n\x03", "\n\xff\n"].map((text) => Buffer.from(text, "latin1")),
  async run(input) {
    const packets = input.toString("latin1").split("\n").slice(0, 64);
    const attachment = connectMonitor(directory);
    const got = { stdout: "", stderr: "" };
    attachment.onOutput((stream, chunk) => {
      got[stream] += chunk.toString("latin1");
    });
    const fd = listener.accept();
    try {
      for (const packet of packets) if (packet !== "") fs.writeSync(fd, Buffer.from(packet, "latin1"));
    } finally {
      fs.closeSync(fd);
    }
    await attachment.ended;
    attachment.disconnect();
    for (const [stream, mark] of [
      ["stdout", "\x02"],
      ["stderr", "\x03"],
    ] as const) {
      const sent = packets
        .filter((packet) => packet.startsWith(mark))
        .map((packet) => packet.slice(1))
        .join("");
      promise(got[stream] === sent, () => `of ${sent.length} bytes for ${stream} came ${got[stream].length}`);
    }
  },
  close: () => listener.close(),
};
