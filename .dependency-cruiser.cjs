// The arrows between rooms: api <- sys <- {cni, oci, images} <- cri. And a home for each library.
const home = (library, path) => ({
  name: `home-of-${library.replace(/\W+/g, "-")}`,
  severity: "error",
  comment: `${library} is used from one place only, so that it can be replaced in one place`,
  from: { path: "^(api|sys|cni|images|oci|cri)/", pathNot: path },
  to: { path: `node_modules/${library}` },
});
const arrow = (room, forbidden) => ({
  name: `arrows-of-${room}`,
  severity: "error",
  from: { path: `^${room}/` },
  to: { path: `^(${forbidden.join("|")})/` },
});
module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    { name: "no-orphan-import", severity: "error", from: {}, to: { couldNotResolve: true } },
    arrow("api", ["sys", "cni", "images", "oci", "cri", "hack", "test"]),
    arrow("sys", ["cni", "images", "oci", "cri", "hack", "test"]),
    arrow("cni", ["images", "oci", "cri", "hack", "test"]),
    arrow("images", ["cni", "oci", "cri", "hack", "test"]),
    arrow("oci", ["cni", "images", "cri", "hack", "test"]),
    arrow("cri", ["hack", "test"]),
    {
      name: "loaded-when-asked-for",
      severity: "error",
      comment: "metrics and traces cost memory, and most of it is spent by importing them",
      from: { path: "^cri/", pathNot: "^cri/(tracing|exposition)/|[.]test[.]ts$" },
      to: {
        path: "^cri/(tracing/|exposition/.*metrics[.]ts$)",
        dynamic: false,
        dependencyTypesNot: ["type-only", "pre-compilation-only"],
      },
    },
    home("koffi", "^sys/"),
    home("@grpc/grpc-js", "^cri/(server|client)/|[.]test[.]ts$"),
    home("protobufjs", "^api/"),
    home("toml-eslint-parser", "^api/"),
    home("yaml", "^(oci/cdi|cri/node)/"),
    home("ws", "^cri/streaming/"),
    home("@opentelemetry", "^cri/tracing/"),
    home("prom-client", "^cri/exposition/.*metrics[.]ts$|[.]test[.]ts$"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(api/generated|dist|build)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
  },
};
