/**
 * Whether what the file system cannot hold, such as a name of 300 bytes, an attribute of 1 MiB or a file of 1 EiB, is the fault of the
 * layer that has it.
 */
export const isLayersFault = (errno: string | undefined): boolean =>
  /^(E2BIG|EFBIG|EINVAL|ENAMETOOLONG|ELOOP|EMLINK|ENOTDIR|EPERM|ERANGE)$/.test(errno ?? "");
