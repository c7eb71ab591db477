import { declareSyscall } from "./libc";

const closeRange = declareSyscall(436, "uint, uint, uint");

const CLOSE_RANGE_CLOEXEC = 4;
const lastDescriptor = 0xffffffff;

/**
 * Keeps from all children what this process itself was started with, its standard streams left out: whoever starts it
 * may have left a descriptor open to them. What Node.js opens has close-on-exec anyway. Linux 5.11; does nothing before.
 */
export function keepDescriptorsFromChildren(): void {
  closeRange(3, lastDescriptor, CLOSE_RANGE_CLOEXEC);
}
