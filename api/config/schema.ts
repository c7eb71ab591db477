import { choice, flag, integer, section, tables, text, texts, type ValueOf } from "./options";

const absolute = (path: string) =>
  path.startsWith("/") && !path.split("/").includes("..") && !/[\0\n]/.test(path)
    ? undefined
    : 'an absolute path without ".."';
const absoluteOrEmpty = (path: string) => (path === "" ? undefined : absolute(path));

/** Every option of /etc/berth/config.toml. */
export const configSchema = section("Berth: a container runtime for Kubernetes nodes", {
  root: text("/var/lib/berth", "Where images, layers and snapshots are kept. Survives a reboot.", absolute),
  state: text("/run/berth", "Where sandboxes and containers are kept while they live. Best on a tmpfs.", absolute),
  socket: text("/run/berth/berth.sock", "The unix socket of the CRI.", absolute),
  socket_group: text("", "The group that may use the socket beside root, by name or number; empty for root's."),

  log: section("What the daemon says of itself, on its standard error", {
    level: choice(["debug", "info", "warn", "error"], "info", "The least important lines that are written."),
    format: choice(["text", "json"], "text", "One line an event, as text or as JSON."),
  }),

  metrics: section("Prometheus metrics over HTTP", {
    address: text("", 'Address and port to serve /metrics on, such as "127.0.0.1:1338"; empty for none.'),
  }),

  tracing: section("OpenTelemetry traces, which go on from the kubelet's", {
    endpoint: text("", 'Where spans go by OTLP over HTTP, such as "http://127.0.0.1:4318"; empty for none.', (url) =>
      url === "" || /^https?:\/\/[^\s@]+$/.test(url) ? undefined : "an http or https URL",
    ),
    sampling_rate_per_million: integer(
      0,
      { min: 0, max: 1_000_000 },
      "How many of a million traces that begin here are kept; a client's are kept where the client keeps them.",
    ),
  }),

  runtime: section("How containers are run", {
    default_handler: text(
      "",
      "The runtime handler of pods that name none; empty for crun where it can run, else runc.",
    ),
    conmon: text("conmon", "The container monitor: a path, or a name to be found in PATH."),
    cgroup_driver: choice(
      ["auto", "cgroupfs", "systemd"],
      "auto",
      "Who makes cgroups; must be the kubelet's too. auto: systemd on cgroup v2 where systemd is process 1.",
    ),
    default_capabilities: texts(
      [
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
        "AUDIT_WRITE",
      ],
      "What a container may do that asks for nothing.",
    ),
    default_sysctls: texts([], 'Set in every pod that does not share the host\'s namespaces: "name=value".'),
    seccomp_profile: text("", "The profile RuntimeDefault stands for; empty for the built-in one.", absoluteOrEmpty),
    enable_cdi: flag(true, "Whether containers can ask for devices by name (Container Device Interface)."),
    cdi_spec_dirs: texts(
      ["/etc/cdi", "/var/run/cdi"],
      "Where CDI files lie; of two that have the same device, the one in the later directory counts.",
      absolute,
    ),
    cdi_allow_hooks: flag(
      false,
      "Let CDI files have programs run on the host as root, as NVIDIA's want it; their devices are refused otherwise.",
    ),
    device_ownership_from_security_context: flag(
      false,
      "Device nodes that a container asks for belong to its run_as_user and run_as_group, not to the host's owners.",
    ),
    apparmor_profile: text(
      "",
      "The loaded AppArmor profile that RuntimeDefault stands for; empty for the built-in berth-default.",
    ),
    pids_limit: integer(-1, { min: -1, max: 4194304 }, "The most processes in one container; -1 for no limit."),
    log_size_max: integer(
      -1,
      { min: -1, max: 2 ** 40 },
      "The most bytes in one log file before conmon truncates it; -1 for no limit (the kubelet rotates).",
    ),
    operation_timeout_s: integer(
      120,
      { min: 1, max: 3600 },
      "The longest that one call of the OCI runtime may take, in seconds.",
    ),
    expedite_rcu: flag(
      true,
      "Have /sys/kernel/rcu_expedited on while a pod is made or stopped, which halves the time: see operations.md.",
    ),
    handlers: tables("A runtime handler, to be named by a RuntimeClass. crun and runc are there of themselves.", {
      path: text("", "The OCI runtime's binary: a path, or a name to be found in PATH."),
      privileged_without_host_devices: flag(false, "A privileged container sees only its own devices."),
      allowed_annotations: texts([], "Pod annotations, or prefixes that end in *, that are handed to the runtime."),
    }),
  }),

  cni: section("Pod networks", {
    conf_dir: text("/etc/cni/net.d", "Where network configurations lie; the first by name is used.", absolute),
    bin_dirs: texts(["/opt/cni/bin", "/usr/lib/cni"], "Where plugins lie.", absolute),
    cache_dir: text(
      "/var/lib/cni/berth",
      "Where the results of plugins are kept until their DEL. Survives a reboot.",
      absolute,
    ),
    plugin_timeout_s: integer(60, { min: 1, max: 600 }, "The longest that one plugin may take, in seconds."),
    gc_interval_s: integer(
      300,
      { min: 0, max: 86_400 },
      "How often addresses of pods that are gone are given back: by DEL, and from CNI 1.1 on by GC; 0 for at start only.",
    ),
  }),

  streaming: section("Where the clients of exec, attach and port-forward connect to", {
    address: text(
      "127.0.0.1:0",
      "Address and port; port 0 takes a free one. The kubelet connects here: leave it on the loopback unless others must.",
    ),
    tls_cert_file: text("", "A certificate in PEM, to serve HTTPS; empty for HTTP.", absoluteOrEmpty),
    tls_key_file: text("", "The certificate's key in PEM.", absoluteOrEmpty),
    idle_timeout_s: integer(
      14400,
      { min: 1, max: 1000000 },
      "A connection on which nothing moves for so long is closed, in seconds.",
    ),
    stream_creation_timeout_s: integer(
      30,
      { min: 1, max: 3600 },
      "How long a client may take to open its streams once it has connected, in seconds.",
    ),
  }),

  images: section("Images and registries", {
    certs_dirs: texts(
      ["/etc/berth/certs.d", "/etc/containerd/certs.d", "/etc/docker/certs.d"],
      "Where HOST/hosts.toml lies, mirrors and certificates; the first directory that knows the host counts.",
      absolute,
    ),
    auth_files: texts([], "Docker config.json files with credentials; those of a request come before.", absolute),
    max_concurrent_downloads: integer(3, { min: 1, max: 64 }, "The most layers of one image that are fetched at once."),
    progress_timeout_s: integer(
      30,
      { min: 1, max: 3600 },
      "A pull that receives nothing for so long is given up, in seconds.",
    ),
    pinned: texts([], "Images that the kubelet must not remove for space, by reference."),
    registries: tables("Credentials of a registry by its host, beside those in auth_files.", {
      username: text("", "For basic authentication, and to ask for tokens with."),
      password: text("", "Its password."),
      identity_token: text("", "A refresh token, in the place of a password."),
    }),
  }),
});

/** The configuration with every option filled in. */
export type Config = ValueOf<typeof configSchema>;
