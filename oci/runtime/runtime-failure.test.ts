import { runtimeFailure } from "./runtime-failure";

test.each([
  ["executable file `nope` not found in $PATH: No such file or directory", "NotFound"],
  ['exec: "nope": executable file not found in $PATH', "NotFound"],
  ["OOM: the memory limit could be too low: read from sync socket: Connection reset by peer", "InvalidArgument"],
  ["container init was OOM-killed (memory limit too low?)", "InvalidArgument"],
  ["writing file `memory.memsw.limit_in_bytes`: Invalid argument", "InvalidArgument"],
  ["open executable: File name too long", "InvalidArgument"],
  ["openat2 `proc/self/fd/0`: Invalid cross-device link", "InvalidArgument"],
  ["open executable: Operation not permitted", "FailedPrecondition"],
  ["mkdir `x`: Read-only file system", "FailedPrecondition"],
  ["mknod `x`: File exists", "FailedPrecondition"],
  ["mount `x` to `y`: No such device", "FailedPrecondition"],
  ["open `x`: Operation not supported", "FailedPrecondition"],
  ["writing file `memory.limit_in_bytes`: Device or resource busy", "FailedPrecondition"],
  ["unable to set memory limit to 65535 (current usage: 356352, peak usage: 2265088)", "FailedPrecondition"],
  ["clone: Cannot allocate memory", "ResourceExhausted"],
  ["something else", "Internal"],
])("runtimeFailure() of %j is %s", (said, code) => {
  expect(runtimeFailure("create failed", said)).toMatchObject({ code, message: `create failed: ${said}` });
});
