import manifest from "../package.json";

/** As the kubelet shows it: berth://0.1.0 */
export const runtimeName = "berth";
export const version: string = manifest.version;
