import type { Handlers } from "../server/grpc-server";
import type { Services } from "../services";
import { attach } from "./attach";
import { checkpointContainer } from "./checkpoint-container";
import { checkpointPod } from "./checkpoint-pod";
import { containerStats } from "./container-stats";
import { containerStatus } from "./container-status";
import { createContainer } from "./create-container";
import { exec } from "./exec";
import { execSync } from "./exec-sync";
import { getContainerEvents } from "./get-container-events";
import { imageFsInfo } from "./image-fs-info";
import { imageStatus } from "./image-status";
import { listContainerStats } from "./list-container-stats";
import { listContainers } from "./list-containers";
import { listImages } from "./list-images";
import { listMetricDescriptors } from "./list-metric-descriptors";
import { listPodSandbox } from "./list-pod-sandbox";
import { listPodSandboxMetrics } from "./list-pod-sandbox-metrics";
import { listPodSandboxStats } from "./list-pod-sandbox-stats";
import { podSandboxStats } from "./pod-sandbox-stats";
import { podSandboxStatus } from "./pod-sandbox-status";
import { portForward } from "./port-forward";
import { pullImage } from "./pull-image";
import { removeContainer } from "./remove-container";
import { removeImage } from "./remove-image";
import { removePodSandbox } from "./remove-pod-sandbox";
import { reopenContainerLog } from "./reopen-container-log";
import { restorePod } from "./restore-pod";
import { runPodSandbox } from "./run-pod-sandbox";
import { runtimeConfig } from "./runtime-config";
import { startContainer } from "./start-container";
import { status } from "./status";
import { stopContainer } from "./stop-container";
import { stopPodSandbox } from "./stop-pod-sandbox";
import { streamContainerStats } from "./stream-container-stats";
import { streamContainers } from "./stream-containers";
import { streamImages } from "./stream-images";
import { streamPodSandboxMetrics } from "./stream-pod-sandbox-metrics";
import { streamPodSandboxStats } from "./stream-pod-sandbox-stats";
import { streamPodSandboxes } from "./stream-pod-sandboxes";
import { updateContainerResources } from "./update-container-resources";
import { updatePodSandboxResources } from "./update-pod-sandbox-resources";
import { updateRuntimeConfig } from "./update-runtime-config";
import { versionRpc } from "./version";

/** The RPCs that are built; the server answers UNIMPLEMENTED for the rest. */
export function runtimeService(services: Services): Handlers<"RuntimeService"> {
  const { gracePeriods } = services;
  return {
    Version: () => versionRpc(),
    Status: (request) => status(services, request),
    RuntimeConfig: () => runtimeConfig(services),
    UpdateRuntimeConfig: (request) => updateRuntimeConfig(services, request),
    RunPodSandbox: (request) => gracePeriods.expedite(() => runPodSandbox(services, request)),
    StopPodSandbox: (request) => gracePeriods.expedite(() => stopPodSandbox(services, request)),
    RemovePodSandbox: (request) => gracePeriods.expedite(() => removePodSandbox(services, request)),
    PodSandboxStatus: (request) => podSandboxStatus(services, request),
    ListPodSandbox: (request) => listPodSandbox(services, request),
    CreateContainer: (request) => gracePeriods.expedite(() => createContainer(services, request)),
    StartContainer: (request) => startContainer(services, request),
    StopContainer: (request, context) => stopContainer(services, request, context),
    RemoveContainer: (request) => removeContainer(services, request),
    ContainerStatus: (request) => containerStatus(services, request),
    ListContainers: (request) => listContainers(services, request),
    UpdateContainerResources: (request) => updateContainerResources(services, request),
    UpdatePodSandboxResources: (request) => updatePodSandboxResources(services, request),
    ReopenContainerLog: (request) => reopenContainerLog(services, request),
    ExecSync: (request, context) => execSync(services, request, context),
    Exec: (request) => exec(services, request),
    Attach: (request) => attach(services, request),
    PortForward: (request) => portForward(services, request),
    ContainerStats: (request) => containerStats(services, request),
    ListContainerStats: (request) => listContainerStats(services, request),
    PodSandboxStats: (request) => podSandboxStats(services, request),
    ListPodSandboxStats: (request) => listPodSandboxStats(services, request),
    ListMetricDescriptors: () => listMetricDescriptors(services),
    ListPodSandboxMetrics: () => listPodSandboxMetrics(services),
    GetContainerEvents: (_request, context) => getContainerEvents(services, context),
    StreamPodSandboxes: (request) => streamPodSandboxes(services, request),
    StreamContainers: (request) => streamContainers(services, request),
    StreamContainerStats: (request) => streamContainerStats(services, request),
    StreamPodSandboxStats: (request) => streamPodSandboxStats(services, request),
    StreamPodSandboxMetrics: () => streamPodSandboxMetrics(services),
    CheckpointContainer: () => checkpointContainer(),
    CheckpointPod: () => checkpointPod(),
    RestorePod: () => restorePod(),
  };
}

export function imageService(services: Services): Handlers<"ImageService"> {
  return {
    PullImage: (request, context) => pullImage(services, request, context),
    ImageStatus: (request) => imageStatus(services, request),
    ListImages: (request) => listImages(services, request),
    StreamImages: (request) => streamImages(services, request),
    RemoveImage: (request) => removeImage(services, request),
    ImageFsInfo: () => imageFsInfo(services),
  };
}
