import { BerthError } from "../../api/errors";

const bad = (reason: string) => new BerthError("InvalidArgument", reason);

/** The fields of an object of JSON or YAML, each read with its type. All methods throw InvalidArgument that says where. */
export class Fields {
  private readonly object: Record<string, unknown>;

  /** Refuses fields that are not among `known`. */
  constructor(
    value: unknown,
    private readonly where: string,
    known: readonly string[],
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad(`${where} is not an object`);
    this.object = value as Record<string, unknown>;
    const unknown = Object.keys(this.object).find((name) => !known.includes(name));
    if (unknown !== undefined) throw bad(`${where} has the unknown field ${JSON.stringify(unknown.slice(0, 100))}`);
  }

  at(name: string): string {
    return `${this.where}.${name}`;
  }

  has(name: string): boolean {
    return this.object[name] !== undefined && this.object[name] !== null;
  }

  /** Undefined where it is absent or empty. */
  text(name: string, pattern = /^[^\0\n]*$/): string | undefined {
    return this.has(name) ? textOf(this.object[name], this.at(name), pattern) || undefined : undefined;
  }

  requiredText(name: string, pattern?: RegExp): string {
    const value = this.text(name, pattern);
    if (value === undefined) throw bad(`${this.at(name)} is missing`);
    return value;
  }

  integer(name: string, [least, most]: [number, number]): number | undefined {
    if (!this.has(name)) return undefined;
    const value = this.object[name];
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    throw bad(`${this.at(name)} is not a number between ${least} and ${most}`);
  }

  flag(name: string): boolean | undefined {
    if (!this.has(name)) return undefined;
    const value = this.object[name];
    if (typeof value !== "boolean") throw bad(`${this.at(name)} is neither true nor false`);
    return value;
  }

  texts(name: string, pattern = /^[^\0]*$/): string[] {
    return this.list(name).map((value, index) => textOf(value, `${this.at(name)}[${index}]`, pattern));
  }

  integers(name: string, [least, most]: [number, number]): number[] {
    return this.list(name).map((value) => {
      if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most)
        return value as number;
      throw bad(`${this.at(name)} has more than numbers between ${least} and ${most}`);
    });
  }

  nested(name: string, known: readonly string[]): Fields | undefined {
    return this.has(name) ? new Fields(this.object[name], this.at(name), known) : undefined;
  }

  nestedList(name: string, known: readonly string[]): Fields[] {
    return this.list(name).map((value, index) => new Fields(value, `${this.at(name)}[${index}]`, known));
  }

  private list(name: string): unknown[] {
    if (!this.has(name)) return [];
    const value = this.object[name];
    if (!Array.isArray(value) || value.length > 65536) throw bad(`${this.at(name)} is not a list, or too long`);
    return value;
  }
}

// YAML reads a name such as 0 as a number
function textOf(value: unknown, where: string, pattern: RegExp): string {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string") throw bad(`${where} is not a text`);
  if (!pattern.test(text)) throw bad(`${where} can't be ${JSON.stringify(text.slice(0, 100))}`);
  return text;
}
