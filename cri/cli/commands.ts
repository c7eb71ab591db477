import type { Commands } from "./command";

/** Loaded only when called for, so that `berth version` does not load a daemon. */
export const commands: Commands = {
  serve: { summary: "run the daemon", load: async () => (await import("./serve")).serve },
  run: {
    summary: "pull an image and run a command in a pod of its own",
    load: async () => (await import("./run")).run,
  },
  ps: { summary: "list containers", load: async () => (await import("./ps")).ps },
  logs: { summary: "print a container's log", load: async () => (await import("./logs")).logs },
  exec: { summary: "run a command in a running container", load: async () => (await import("./exec")).exec },
  rm: { summary: "stop and remove a pod by one of its containers", load: async () => (await import("./rm")).rm },
  images: { summary: "list images", load: async () => (await import("./images")).images },
  pull: { summary: "fetch an image from its registry", load: async () => (await import("./pull")).pull },
  import: {
    summary: "take images from an OCI or docker archive",
    load: async () => (await import("./import")).importImages,
  },
  export: { summary: "write an image to an OCI archive", load: async () => (await import("./export")).exportImage },
  inspect: {
    summary: "print all that is known of containers, pods and images",
    load: async () => (await import("./inspect")).inspect,
  },
  stats: { summary: "print what containers use", load: async () => (await import("./stats")).stats },
  events: { summary: "print what happens to pods and containers", load: async () => (await import("./events")).events },
  info: {
    summary: "tell what the daemon is and whether pods can run",
    load: async () => (await import("./info")).info,
  },
  doctor: {
    summary: "look at the node: what is wrong and what to do about it",
    load: async () => (await import("./doctor")).doctor,
  },
  gc: { summary: "remove what nothing uses", load: async () => (await import("./gc")).gc },
  ui: { summary: "tell where the node's page is", load: async () => (await import("./ui")).ui },
  completion: {
    summary: "print what completes commands in bash, zsh or fish",
    load: async () => (await import("./completion")).completionOf(commands),
  },
  config: { summary: "print the configuration: default or dump", load: async () => (await import("./config")).config },
  node: {
    summary: "make Berth the runtime of this node's kubelet: install, verify or uninstall",
    load: async () => (await import("./node")).node,
  },
  version: { summary: "print versions", load: async () => (await import("./version")).version },
};
