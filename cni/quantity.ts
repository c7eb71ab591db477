import { BerthError } from "../api/errors";
import { printableText } from "./printable-text";

const factors: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * A Kubernetes quantity such as "10M" or "1.5Gi" as a whole number, rounded up as Quantity.Value() does
 * (k8s.io/apimachinery pkg/api/resource). Throws InvalidArgument.
 */
export function parseQuantity(text: string): number {
  const [, number, suffix, exponent] =
    /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?$/.exec(text) ?? [];
  if (number === undefined) {
    throw new BerthError("InvalidArgument", `"${printableText(text, 100)}" is not a Kubernetes quantity`);
  }
  const factor = exponent === undefined ? factors[suffix ?? ""]! : 10 ** Number(exponent);
  // Fifteen digits, so that 1.1k is 1100 and not the next number after a double's error.
  return Math.ceil(Number((Number(number) * factor).toPrecision(15)));
}
