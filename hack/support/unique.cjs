// Names that nobody else on the machine has, so that several daemons and tests run side by side.
const { randomBytes, randomInt } = require("node:crypto");
const os = require("node:os");
const { output } = require("./machine.cjs");

const uniqueId = () => randomBytes(4).toString("hex");

/** A free /24 as its first three numbers, such as "10.87.12". */
function uniqueSubnet() {
  const taken = output("ip", ["-4", "route", "show", "table", "all"]);
  for (;;) {
    const prefix = `10.${randomInt(64, 250)}.${randomInt(1, 255)}`;
    const here = Object.values(os.networkInterfaces()).flat();
    if (!taken.includes(`${prefix}.`) && !here.some((one) => one.address.startsWith(`${prefix}.`))) return prefix;
  }
}

module.exports = { uniqueId, uniqueSubnet };
