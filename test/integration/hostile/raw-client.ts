import * as grpc from "@grpc/grpc-js";
import type protobuf from "protobufjs";
import { root } from "./wire";

export interface RawMethod {
  name: string;
  path: string;
  request: protobuf.Type;
  response: protobuf.Type;
  stream: boolean;
}

export interface RawAnswer {
  code: grpc.status;
  details: string;
  /** Of a stream those that came until its end, or until the client had enough. */
  messages: Buffer[];
}

/** Streams that have no end are listened to for so long. */
const listenMs = 100;
const timeoutMs = 60_000;

export const rawMethods: RawMethod[] = ["RuntimeService", "ImageService", "Berth"].flatMap((service) => {
  const found = root.lookupService(service);
  return found.methodsArray.map((method) => ({
    name: method.name,
    path: `/${found.fullName.slice(1)}/${method.name}`,
    request: root.lookupType(method.requestType),
    response: root.lookupType(method.responseType),
    stream: Boolean(method.responseStream),
  }));
});

/** Sends bytes, whatever they are, and gives what comes back. */
export class RawClient {
  private readonly client: grpc.Client;

  constructor(socket: string) {
    this.client = new grpc.Client(`unix:${socket}`, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": 64 << 20,
      "grpc.max_send_message_length": -1,
    });
  }

  call({ path, stream, name }: Pick<RawMethod, "path" | "stream" | "name">, bytes: Buffer): Promise<RawAnswer> {
    const asIs = (value: Buffer) => value;
    const options = { deadline: Date.now() + timeoutMs };
    return new Promise((resolve) => {
      if (!stream) {
        this.client.makeUnaryRequest(path, asIs, asIs, bytes, new grpc.Metadata(), options, (error, response) =>
          resolve({
            code: error?.code ?? grpc.status.OK,
            details: error?.details ?? "",
            messages: response ? [response] : [],
          }),
        );
        return;
      }
      const call = this.client.makeServerStreamRequest(path, asIs, asIs, bytes, new grpc.Metadata(), options);
      const messages: Buffer[] = [];
      let enough = false;
      const timer =
        name === "GetContainerEvents"
          ? setTimeout(() => {
              enough = true;
              call.cancel();
            }, listenMs)
          : undefined;
      call.on("data", (message: Buffer) => messages.push(message));
      call.on("error", () => {});
      call.on("status", ({ code, details }) => {
        clearTimeout(timer);
        resolve({ code: enough ? grpc.status.OK : code, details: enough ? "" : details, messages });
      });
    });
  }

  close(): void {
    this.client.close();
  }
}
