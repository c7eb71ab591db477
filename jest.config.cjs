// `unit` stands beside its source and needs no root; `integration` uses the real parts; `e2e` a whole cluster, which
// hack/e2e.sh starts.
const shared = {
  testEnvironment: "<rootDir>/test/environment.cjs",
  transform: {
    "^.+\\.m?[tj]s$": [
      "ts-jest",
      {
        tsconfig: {
          module: "commonjs",
          moduleResolution: "node10",
          ignoreDeprecations: "6.0",
          target: "es2024",
          isolatedModules: true,
          esModuleInterop: true,
          resolveJsonModule: true,
          allowJs: true,
        },
        diagnostics: false,
      },
    ],
  },
  transformIgnorePatterns: ["/node_modules/(?!(toml-eslint-parser|eslint-visitor-keys)/)"],
  moduleFileExtensions: ["ts", "js", "mjs", "json", "node"],
  modulePathIgnorePatterns: ["<rootDir>/dist/", "<rootDir>/build/"],
};
module.exports = {
  // finds what hangs; how quick a machine is, is not tested
  testTimeout: 90_000,
  projects: [
    { ...shared, displayName: "unit", testMatch: ["<rootDir>/{api,sys,cni,images,oci,cri,docs}/**/*.test.ts"] },
    { ...shared, displayName: "integration", testMatch: ["<rootDir>/test/integration/**/*.test.ts"] },
    {
      ...shared,
      displayName: "e2e",
      testEnvironment: "<rootDir>/test/e2e/environment.cjs",
      testMatch: ["<rootDir>/test/e2e/*.test.ts"],
      setupFilesAfterEnv: ["<rootDir>/test/e2e/setup.ts"],
    },
  ],
};
