/** Eight hexadecimal digits. */
export function uniqueId(): string;
/** A free subnet (a /24 unless said otherwise, a /16 at most) as the first three numbers of its first address, such as "10.87.12". */
export function uniqueSubnet(prefixLength?: number): string;
