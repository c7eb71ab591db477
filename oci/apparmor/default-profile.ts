/** The name under which the kernel knows the profile, and which containers have as their label. */
export const defaultProfileName = "berth-default";

export interface ProfileTarget {
  /** The version of policy to compile for, such as "abi/3.0"; undefined for a parser that knows none. */
  abi: string | undefined;
  /** The daemon's own label, undefined where it is unconfined: it signals containers too. */
  daemonLabel: string | undefined;
}

/**
 * Who may signal a container beside its like: the host, and the programs that kill containers, which some
 * distributions give labels of their own.
 */
const signallers = ["unconfined", "conmon", "crun", "runc"];

/**
 * The text of the profile that RuntimeDefault stands for (apparmor.d(5)). Rights are those of capabilities, namespaces
 * and file modes; what it takes away is what would reach the whole host from inside: mounting, the kernel's settings in
 * /proc and /sys, tracing and signalling those outside. Denials are final, so a path can't be allowed again below one;
 * sets such as [^kn] leave out the names that stay writable.
 */
export function defaultProfile({ abi, daemonLabel }: ProfileTarget): string {
  const receiveFrom = [...new Set([...signallers, ...(daemonLabel === undefined ? [] : [daemonLabel])])];
  const rules = [
    "capability,",
    "file,",
    "network,",
    "unix,",
    "umount,",
    "deny mount,",
    "",
    "# whoever may look at or trace others can do so with these; they themselves reach only their like",
    "ptrace (readby, tracedby),",
    `ptrace (read, trace) peer=${defaultProfileName},`,
    `signal (send, receive) peer=${defaultProfileName},`,
    "signal (send, receive) set=(exists),",
    ...receiveFrom.map((peer) => `signal (receive) peer="${peer}",`),
    "",
    "# /proc: the files of processes stay writable, and the settings of namespaces (net, IPC, message queues)",
    "deny /proc/* w,",
    "deny /proc/{acpi,asound,bus,driver,dynamic_debug,fs,irq,mpt,pressure,scsi,sysvipc,tty}/** w,",
    "deny /proc/sys/[^fkn]** w,",
    "deny /proc/sys/fs/[^m]** w,",
    "deny /proc/sys/fs/m[^q]** w,",
    "deny /proc/sys/kernel/[^ms]** w,",
    "deny /proc/sys/kernel/m[^s]** w,",
    "deny /proc/sys/kernel/s[^eh]** w,",
    "deny /proc/sys/kernel/se[^m]** w,",
    "deny /proc/sys/kernel/sh[^m]** w,",
    "deny /proc/kcore rwklx,",
    "deny /proc/sysrq-trigger rwklx,",
    "",
    "# /sys: cgroups alone stay writable",
    "deny /sys/[^f]** wklx,",
    "deny /sys/f[^s]** wklx,",
    "deny /sys/fs/[^c]** wklx,",
    "deny /sys/fs/c[^g]** wklx,",
    "deny /sys/firmware/** rwklx,",
    "deny /sys/kernel/{debug,security,tracing}/** rwklx,",
    "deny /sys/devices/virtual/powercap/** rwklx,",
  ];
  const head = abi === undefined ? "" : `abi <${abi}>,\n\n`;
  const body = rules.map((rule) => (rule === "" ? "" : `  ${rule}`)).join("\n");
  return `${head}profile ${defaultProfileName} flags=(attach_disconnected, mediate_deleted) {\n${body}\n}\n`;
}
