import { CgroupDriver, type Init, type RuntimeConfigResponse } from "../../api/messages";
import type { Services } from "../services";

export async function runtimeConfig({ cgroupDriver }: Services): Promise<Init<RuntimeConfigResponse>> {
  return { linux: { cgroupDriver: cgroupDriver === "systemd" ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS } };
}
