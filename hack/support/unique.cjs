// Names that nobody else on the machine has, so that several daemons and tests run side by side.
const { randomBytes, randomInt } = require("node:crypto");
const os = require("node:os");
const { output } = require("./machine.cjs");

const uniqueId = () => randomBytes(4).toString("hex");

/** A free subnet as the first three numbers of its first address, such as "10.87.12". */
function uniqueSubnet(prefixLength = 24) {
  const taken = output("ip", ["-4", "route", "show", "table", "all"]);
  const here = Object.values(os.networkInterfaces()).flat();
  const isTaken = (prefix) => taken.includes(`${prefix}.`) || here.some((one) => one.address.startsWith(`${prefix}.`));
  const size = 2 ** (24 - prefixLength);
  for (;;) {
    const [second, third] = [randomInt(64, 250), randomInt(1, Math.floor(255 / size)) * size];
    const inside = Array.from({ length: size }, (_, n) => `10.${second}.${third + n}`);
    if (!inside.some(isTaken)) return inside[0];
  }
}

module.exports = { uniqueId, uniqueSubnet };
