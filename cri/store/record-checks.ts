import type { ProcessIdentity } from "../../sys/process-identity";

/** Checks of what was read back from a record. Each throws an error that names the field. */

export function checkObject(value: unknown, field = "it"): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${field} is no object`);
  return value as Record<string, unknown>;
}

/** Nothing that we write is nested deeper; what is could be read, and not be written again. */
export function checkDepth(value: unknown, left = 16): void {
  if (typeof value !== "object" || value === null) return;
  if (left === 0) throw new Error("it is nested too deep");
  for (const each of Object.values(value)) checkDepth(each, left - 1);
}

/** The whole of an ID: a beginning of one would be taken for any that begins so. */
export function checkId(record: Record<string, unknown>, field: string): void {
  if (!/^[0-9a-f]{64}$/.test(checkText(record, field))) throw new Error(`${field} is no ID`);
}

export function checkText(record: Record<string, unknown>, field: string): string {
  const value = record[field];
  if (typeof value !== "string") throw new Error(`${field} is no text`);
  return value;
}

export function checkNumber(record: Record<string, unknown>, field: string): number {
  const value = record[field];
  if (!Number.isSafeInteger(value)) throw new Error(`${field} is no whole number`);
  return value as number;
}

/** Nanoseconds since 1970, in decimal. */
export function checkTime(record: Record<string, unknown>, field: string): string {
  const value = checkText(record, field);
  if (!/^[0-9]{1,20}$/.test(value)) throw new Error(`${field} is no time in ns`);
  return value;
}

export function checkTexts(record: Record<string, unknown>, field: string): void {
  const value = record[field];
  if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) {
    throw new Error(`${field} is no list of texts`);
  }
}

/** An object whose values are all texts. */
export function checkTextMap(record: Record<string, unknown>, field: string): void {
  const map = checkObject(record[field], field);
  for (const key of Object.keys(map)) checkText(map, key);
}

/** A process, or its absence. */
export function checkProcess(record: Record<string, unknown>, field: string): void {
  if (record[field] === undefined) return;
  const { pid, startTime }: Partial<Record<keyof ProcessIdentity, unknown>> = checkObject(record[field], field);
  if (!Number.isSafeInteger(pid) || (pid as number) < 2) throw new Error(`${field}.pid is no process`);
  if (typeof startTime !== "string" || !/^[0-9]{1,20}$/.test(startTime)) throw new Error(`${field}.startTime is wrong`);
}
