/**
 * The building blocks of the configuration's schema. Each option is written once, with its type, its default and
 * what it does; the loader, the TypeScript type and `berth config default` all follow from that.
 */
export type Option<T = unknown> =
  | { kind: "string"; default: string; doc: string; check?: Check }
  | { kind: "choice"; default: string; choices: readonly string[]; doc: string }
  | { kind: "integer"; default: number; min: number; max: number; doc: string }
  | { kind: "boolean"; default: boolean; doc: string }
  | { kind: "strings"; default: readonly string[]; doc: string; check?: Check }
  | { kind: "tables"; of: Section<unknown>; default: Record<string, unknown>; doc: string; type?: T }
  | Section<T>;

/** Returns what was expected where the text is not right. */
export type Check = (text: string) => string | undefined;

export interface Section<T> {
  kind: "section";
  doc: string;
  options: Record<string, Option>;
  type?: T;
}

declare const valueType: unique symbol;
type Typed<T> = { [valueType]?: T };
export type ValueOf<O> = O extends Typed<infer T> ? T : never;

export const text = (value: string, doc: string, check?: Check) =>
  ({ kind: "string", default: value, doc, check }) as const as {
    kind: "string";
    default: string;
    doc: string;
    check?: Check;
  } & Typed<string>;

export const choice = <const C extends readonly string[]>(choices: C, value: C[number], doc: string) =>
  ({ kind: "choice", default: value, choices, doc }) as {
    kind: "choice";
    default: string;
    choices: C;
    doc: string;
  } & Typed<C[number]>;

export const integer = (value: number, range: { min: number; max: number }, doc: string) =>
  ({ kind: "integer", default: value, ...range, doc }) as {
    kind: "integer";
    default: number;
    min: number;
    max: number;
    doc: string;
  } & Typed<number>;

export const flag = (value: boolean, doc: string) =>
  ({ kind: "boolean", default: value, doc }) as { kind: "boolean"; default: boolean; doc: string } & Typed<boolean>;

export const texts = (value: readonly string[], doc: string, check?: Check) =>
  ({ kind: "strings", default: value, doc, check }) as {
    kind: "strings";
    default: readonly string[];
    doc: string;
    check?: Check;
  } & Typed<string[]>;

type OptionMap = Record<string, Option & Typed<unknown>>;
type Values<M extends OptionMap> = { [K in keyof M]: ValueOf<M[K]> };

export const section = <M extends OptionMap>(doc: string, options: M) =>
  ({ kind: "section", doc, options }) as { kind: "section"; doc: string; options: M } & Typed<Values<M>>;

/** A table whose keys the user chooses, such as `[runtime.handlers.NAME]`. */
export const tables = <M extends OptionMap>(doc: string, options: M) =>
  ({ kind: "tables", doc, default: {}, of: section(doc, options) }) as {
    kind: "tables";
    of: Section<unknown>;
    default: Record<string, unknown>;
    doc: string;
  } & Typed<Record<string, Values<M>>>;
