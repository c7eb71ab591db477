const { TestEnvironment } = require("jest-environment-node");

/** Jest gives tests a copy of `process` that never sees a signal; children are reaped by SIGCHLD, so they get the real one. */
module.exports = class extends TestEnvironment {
  constructor(...args) {
    super(...args);
    this.global.process = process;
  }
};
