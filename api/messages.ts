import protobuf from "protobufjs";
import descriptor from "./generated/descriptor.json";
import type { BerthMethods, ImageServiceMethods, Messages, RuntimeServiceMethods } from "./generated/cri";

export * from "./generated/cri";

/** A message to be encoded: what is left out has its default value. */
export type Init<T> = T extends bigint | number | string | boolean | Uint8Array | null | undefined
  ? T
  : T extends (infer U)[]
    ? Init<U>[]
    : { [K in keyof T]?: Init<T[K]> };

/** A message that is encoded already, to be sent as it is. */
export class Encoded<T> {
  /** Only for the compiler: what it is a message of. */
  declare readonly of: T;

  constructor(readonly bytes: Uint8Array) {}
}

/** Turns one message type into bytes and back. */
export interface Codec<T> {
  encode(message: Init<T> | Encoded<T>): Buffer;
  /** Every field is there; absent messages are null. Throws RangeError or Error on bytes that are no such message. */
  decode(bytes: Uint8Array): T;
}

export interface MethodDescription {
  name: string;
  /** As gRPC names it: /runtime.v1.RuntimeService/Version */
  path: string;
  request: Codec<unknown>;
  response: Codec<unknown>;
  stream: boolean;
}

export type ServiceMethods = {
  RuntimeService: RuntimeServiceMethods;
  ImageService: ImageServiceMethods;
  Berth: BerthMethods;
};

const root = protobuf.Root.fromJSON(descriptor as protobuf.INamespace);
const codecs = new Map<string, Codec<unknown>>();

/** The codec of a message by its name. int64 is bigint on both sides. */
export function codec<Name extends keyof Messages>(name: Name): Codec<Messages[Name]> {
  let found = codecs.get(name);
  if (!found) {
    const type = root.lookupType(name);
    const options = { longs: BigInt, defaults: true };
    found = {
      encode: (message) =>
        message instanceof Encoded
          ? (message.bytes as Buffer)
          : (type.encode(type.fromObject(message as Record<string, unknown>)).finish() as Buffer),
      decode: (bytes) => type.toObject(type.decode(bytes), options),
    };
    codecs.set(name, found);
  }
  return found as Codec<Messages[Name]>;
}

/** One item, an encoded message, of the list that is field 1 of another; items after one another are the list. */
export function encodeItem(message: Uint8Array): Uint8Array {
  return protobuf.Writer.create()
    .uint32((1 << 3) | 2)
    .bytes(message)
    .finish();
}

/** The RPCs of a service in the order of the .proto. */
export function methodsOf(service: keyof ServiceMethods): MethodDescription[] {
  const found = root.lookupService(service);
  return found.methodsArray.map((method) => ({
    name: method.name,
    path: `/${found.fullName.slice(1)}/${method.name}`,
    request: codec(method.requestType as keyof Messages),
    response: codec(method.responseType as keyof Messages),
    stream: Boolean(method.responseStream),
  }));
}
