import fs from "node:fs";
import path from "node:path";
import type { Config } from "../api/config/schema";
import { Networks } from "../cni/networks";
import { ImageService } from "../images/image-service";
import { loadDefaultProfile } from "../oci/apparmor/load-default";
import { RuntimeHandlers } from "../oci/runtime/handlers";
import { daemonCapabilities } from "../oci/spec/capabilities";
import { Cgroups } from "../sys/cgroups";
import { keepDescriptorsFromChildren } from "../sys/close-on-exec";
import { GracePeriods } from "../sys/grace-periods";
import { KeyedLock } from "../sys/keyed-lock";
import { takeLockFile } from "../sys/lock-file";
import { HostMounts } from "../sys/mounts";
import { HostNamespaces } from "../sys/namespaces";
import { cgroupDriverFor } from "./cgroup-driver";
import { watchExits } from "./container/exit-watch";
import { kernelFeatures } from "./container/kernel-features";
import { PodEvents } from "./events/pod-events";
import { podState } from "./events/pod-state";
import { nodeState } from "./exposition/node-state";
import { serveExposition, servesMetrics } from "./exposition/server";
import { forgetEarlierBoot, takeAwayLeftovers } from "./leftovers";
import { Logger } from "./log";
import { collectNetworkGarbage } from "./network-garbage";
import { observersFor } from "./observers";
import { servesPage } from "./page/serve-page";
import { makeDirectory } from "./private-directory";
import { recover } from "./recovery";
import { reloadConfig } from "./reload";
import { berthService } from "./rpc/berth-service";
import { imageService, runtimeService } from "./rpc/table";
import { GrpcServer } from "./server/grpc-server";
import { Interceptor } from "./server/interceptor";
import type { Services } from "./services";
import { groupNumber } from "./socket-group";
import { claimDirectory } from "./state-format";
import { StatePaths } from "./state-paths";
import { CpuSampler } from "./stats/cpu-sampler";
import { LoadAverages } from "./stats/load-averages";
import { WritableLayers } from "./stats/writable-layers";
import { Store } from "./store/store";
import { streamServer } from "./streaming/serve-stream";
import { StreamingServer } from "./streaming/server";
import { streamingOptions } from "./streaming/streaming-options";
import { findUserNamespaceObstacle } from "./user-namespace-probe";
import { version } from "./version";

/** How long calls under way may still take once the daemon is told to end. Containers go on without it. */
const shutdownGraceMs = 10_000;
/** How long the last spans may still take to be sent. */
const tracingGraceMs = 2000;

export interface Daemon {
  /** Takes over what can change without a restart, and tells the log of all that differs. */
  reload(read: () => Config): void;
  stop(): Promise<void>;
}

/**
 * Brings the daemon up: everything is made here, once, and handed to who needs it. Returns once the socket answers,
 * with what ends it. Throws where another daemon has the directories or something it needs is missing.
 */
export async function startDaemon(config: Config): Promise<Daemon> {
  keepDescriptorsFromChildren();
  const log = new Logger(config.log.level, config.log.format);
  const paths = new StatePaths(config.state);
  for (const directory of [config.root, config.state]) makeDirectory(directory, 0o711);
  const unlockRoot = takeLockFile(path.join(config.root, "lock"));
  const unlockState = takeLockFile(path.join(config.state, "lock"));
  const warn = (message: string) => log.warn(message);
  await claimDirectory(config.root, { warn });
  await claimDirectory(config.state, { warn, forgetEarlierBoot: () => forgetEarlierBoot({ paths, log }) });
  for (const directory of [paths.sandboxes, paths.containers]) makeDirectory(directory, 0o711);
  for (const directory of [paths.exits, paths.runtimes]) makeDirectory(directory, 0o700);
  for (const name of ["content", "images", "layers", "snapshots", "volumes"])
    makeDirectory(path.join(config.root, name), 0o700);

  const gracePeriods = new GracePeriods({ marker: paths.expeditesRcu, enabled: config.runtime.expedite_rcu });
  gracePeriods.settle();
  const mounts = new HostMounts();
  const cgroups = new Cgroups();
  const cgroupDriver = cgroupDriverFor(config.runtime.cgroup_driver, cgroups.version);
  // not even loaded where nobody reads them
  const metrics = config.metrics.address ? (await import("./exposition/metrics")).createMetrics() : undefined;
  const tracing = config.tracing.endpoint
    ? (await import("./tracing/tracing")).startTracing({
        endpoint: config.tracing.endpoint,
        samplingRatePerMillion: config.tracing.sampling_rate_per_million,
      })
    : undefined;
  const observers = observersFor({ metrics, tracing });
  const images = new ImageService(
    {
      root: config.root,
      workerScript: path.join(__dirname, "unpack-worker.js"),
      images: config.images,
    },
    { mounts, warn, observer: observers.images },
  );
  const networks = new Networks(
    {
      confDir: config.cni.conf_dir,
      binDirs: config.cni.bin_dirs,
      cacheDir: config.cni.cache_dir,
      pluginTimeoutMs: config.cni.plugin_timeout_s * 1000,
    },
    { warn, observe: observers.cni },
  );
  const [runtimes, noUserNamespaces, apparmorProfile] = await Promise.all([
    RuntimeHandlers.open(
      {
        configured: config.runtime.handlers,
        defaultHandler: config.runtime.default_handler,
        conmon: config.runtime.conmon,
        stateDirectory: paths.runtimes,
        exitDirectory: paths.exits,
        systemdCgroup: cgroupDriver === "systemd",
        logSizeMaxBytes: config.runtime.log_size_max,
        timeoutMs: config.runtime.operation_timeout_s * 1000,
      },
      warn,
    ),
    findUserNamespaceObstacle(config.root, mounts),
    kernelFeatures().apparmor
      ? loadDefaultProfile({ configured: config.runtime.apparmor_profile, scratchDirectory: config.state }, warn)
      : undefined,
    images.open(),
    networks.start(),
  ]);
  if (noUserNamespaces !== undefined) log.info("pods can't have user namespaces here", { reason: noUserNamespaces });
  const streaming = new StreamingServer(streamingOptions(config.streaming));
  const capabilities = daemonCapabilities();
  const services: Services = {
    config,
    paths,
    log,
    store: new Store(paths, warn),
    images,
    networks,
    runtimes,
    namespaces: new HostNamespaces(),
    mounts,
    cgroups,
    cgroupDriver,
    gracePeriods,
    locks: new KeyedLock(),
    streaming,
    noUserNamespaces,
    apparmorProfile,
    events: new PodEvents({
      sandboxOf: (id) => services.store.sandboxes.find(id),
      stateOf: (sandbox) => podState(services, sandbox),
      report: warn,
    }),
    stats: {
      cpu: new CpuSampler(cgroups),
      load: new LoadAverages(),
      writableLayers: new WritableLayers({
        measure: ({ id }) => images.snapshotUsage(id),
        mountpoint: config.root,
      }),
    },
    daemon: {
      capabilities,
      oomScoreAdj: Number(fs.readFileSync("/proc/self/oom_score_adj", "utf8")),
      hasSysResource: capabilities.includes("CAP_SYS_RESOURCE"),
    },
  };
  const stopWatch = watchExits(services);
  await recover(services);
  const stopNetworkGarbage = await collectNetworkGarbage(services, config.cni.gc_interval_s * 1000);
  await takeAwayLeftovers(services);
  await streaming.listen(streamServer(services, config.streaming.stream_creation_timeout_s * 1000));

  const interceptor = new Interceptor({ log, metrics: metrics?.rpc, tracer: tracing });
  const server = new GrpcServer(interceptor);
  server.addService("RuntimeService", runtimeService(services));
  server.addService("ImageService", imageService(services));
  server.addService("Berth", berthService(services));
  await server.listen(config.socket, groupNumber(config.socket_group));
  const state = nodeState(services);
  metrics?.watch(state);
  const stopMetrics = metrics
    ? await serveExposition({
        address: config.metrics.address,
        // the second is where containerd has them
        paths: { "/metrics": servesMetrics(metrics.registry), "/v1/metrics": servesMetrics(metrics.registry) },
        localPaths: servesPage(path.join(__dirname, "page"), {
          services,
          state,
          latencies: () => metrics.rpc.latencies(),
        }),
      })
    : () => {};
  log.info("berthd serves the CRI", {
    version,
    socket: config.socket,
    handler: runtimes.defaultName,
    cgroups: `${cgroups.version}/${cgroupDriver}`,
    metrics: config.metrics.address || undefined,
  });

  return {
    reload: (read) => reloadConfig({ config, log }, read),
    async stop() {
      // those who wait for events would wait as long as the daemon lives
      services.events.close();
      services.stats.cpu.stop();
      await server.close(shutdownGraceMs);
      gracePeriods.settle();
      await images.close();
      streaming.stop();
      stopMetrics();
      await tracing?.stop(tracingGraceMs);
      stopWatch();
      stopNetworkGarbage();
      networks.stop();
      fs.rmSync(config.socket, { force: true });
      unlockState();
      unlockRoot();
    },
  };
}
