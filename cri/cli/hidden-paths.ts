/**
 * What a pod of the kubelet has hidden from it unless it asks otherwise (pkg/securitycontext, as in moby's
 * oci/defaults.go), for pods that Berth's own command line makes.
 */
export const hiddenPaths = {
  maskedPaths: [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    // the power that the machine takes, by which secrets can be read
    "/sys/devices/virtual/powercap",
  ],
  readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
};
