import { BerthError } from "../../api/errors";

/**
 * The program that holds a shared PID namespace open as its process 1: it ignores SIGCHLD, so that the kernel reaps
 * the orphans of the pod, and sleeps. A static ELF file of some 200 bytes (elf(5)) with nothing to link, load or
 * exploit: whoever may trace processes in the pod finds nothing in it. There is a form for each architecture:
 *
 *     struct sigaction ignore = { SIG_IGN };
 *     rt_sigaction(SIGCHLD, &ignore, NULL, 8);
 *     for (;;) ppoll(NULL, 0, NULL, NULL);
 */
export function pauseProgram(architecture: string = process.arch): Buffer {
  const form = forms[architecture];
  if (!form) {
    throw new BerthError("Unimplemented", `shared PID namespaces are not built for the architecture ${architecture}`);
  }
  const headerBytes = 64;
  const segmentBytes = 56;
  const base = 0x400000;
  const codeAt = headerBytes + segmentBytes;
  const code = Buffer.from(form.code.join(""), "hex");
  // struct sigaction as the kernel has it: handler SIG_IGN (1), flags, restorer, mask
  const action = Buffer.alloc(32);
  action.writeBigUInt64LE(1n, 0);
  const file = Buffer.concat([Buffer.alloc(codeAt), code, action]);
  file.write("\x7fELF\x02\x01\x01", 0, "latin1");
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(form.machine, 18);
  file.writeUInt32LE(1, 20); // EV_CURRENT
  file.writeBigUInt64LE(BigInt(base + codeAt), 24); // entry
  file.writeBigUInt64LE(BigInt(headerBytes), 32); // program headers
  file.writeUInt16LE(headerBytes, 52);
  file.writeUInt16LE(segmentBytes, 54);
  file.writeUInt16LE(1, 56);
  const segment = file.subarray(headerBytes);
  segment.writeUInt32LE(1, 0); // PT_LOAD
  segment.writeUInt32LE(5, 4); // readable, executable
  segment.writeBigUInt64LE(BigInt(base), 16);
  segment.writeBigUInt64LE(BigInt(base), 24);
  segment.writeBigUInt64LE(BigInt(file.length), 32);
  segment.writeBigUInt64LE(BigInt(file.length), 40);
  segment.writeBigUInt64LE(0x1000n, 48);
  return file;
}

const forms: Record<string, { machine: number; code: string[] }> = {
  x64: {
    machine: 62,
    code: [
      "b80d000000", // mov eax, 13 (rt_sigaction)
      "bf11000000", // mov edi, 17 (SIGCHLD)
      "488d351c000000", // lea rsi, [rip + 28] (the action behind the code)
      "31d2", // xor edx, edx
      "41ba08000000", // mov r10d, 8
      "0f05", // syscall
      "b80f010000", // again: mov eax, 271 (ppoll)
      "31ff31f631d2", // xor edi, edi; xor esi, esi; xor edx, edx
      "4d31d2", // xor r10, r10
      "0f05", // syscall
      "ebee", // jmp again
    ],
  },
  arm64: {
    machine: 183,
    code: [
      "c81080d2", // mov x8, 134 (rt_sigaction)
      "200280d2", // mov x0, 17 (SIGCHLD)
      "61010010", // adr x1, 44 bytes on (the action behind the code)
      "020080d2", // mov x2, 0
      "030180d2", // mov x3, 8
      "010000d4", // svc 0
      "280980d2", // again: mov x8, 73 (ppoll)
      "000080d2", // mov x0, 0
      "010080d2", // mov x1, 0
      "020080d2", // mov x2, 0
      "030080d2", // mov x3, 0
      "010000d4", // svc 0
      "faffff17", // b again
    ],
  },
};
