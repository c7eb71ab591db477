import * as grpc from "@grpc/grpc-js";
import { methodsOf } from "../../api/messages";

interface StreamingCall {
  socket: string;
  service: "RuntimeService" | "ImageService";
  method: string;
  request?: object;
  /** Ends a stream that would not end by itself. */
  signal?: AbortSignal;
}

/** The messages of a streaming call as they come. */
export async function* serverStream<Message extends object>(call: StreamingCall): AsyncGenerator<Message> {
  const method = methodsOf(call.service).find((each) => each.name === call.method)!;
  const client = new grpc.Client(`unix:${call.socket}`, grpc.credentials.createInsecure());
  try {
    const stream = client.makeServerStreamRequest(
      method.path,
      (message: object) => method.request.encode(message),
      (bytes) => method.response.decode(bytes),
      call.request ?? {},
    );
    call.signal?.addEventListener("abort", () => stream.cancel(), { once: true });
    for await (const message of stream) yield message as Message;
  } catch (error) {
    if (!call.signal?.aborted) throw error;
  } finally {
    client.close();
  }
}
