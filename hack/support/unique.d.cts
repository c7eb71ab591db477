/** Eight hexadecimal digits. */
export function uniqueId(): string;
/** A free /24 as its first three numbers, such as "10.87.12". */
export function uniqueSubnet(): string;
