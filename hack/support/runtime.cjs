// The OCI runtime for tests of user namespaces, for which those of Debian 12 are too old.
const fs = require("node:fs");
const path = require("node:path");

/** As hack/build-runc.sh leaves it; it makes none where the machine's own can do. */
const BUILT = path.join(__dirname, "../../build/tools/runc");

/** The section `runtime` of a configuration by which pods that name no handler can have user namespaces. */
const runtimeOptions = () =>
  fs.existsSync(BUILT) ? { default_handler: "runc", handlers: { runc: { path: BUILT } } } : {};

module.exports = { runtimeOptions };
