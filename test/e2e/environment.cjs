const TestEnvironment = require("../environment.cjs");

/**
 * The client of Kubernetes as Node.js itself loads it, once: Jest would read and transform its thousands of files again
 * for each file of tests.
 */
module.exports = class extends TestEnvironment {
  constructor(...args) {
    super(...args);
    this.global.kubernetesClient = require("@kubernetes/client-node");
  }
};
