/** How bytes of several channels share one WebSocket (k8s.io/streaming pkg/httpstream/wsstream, conn.go). */
export interface ChannelProtocol {
  name: string;
  /** Text messages: a digit and base64. */
  base64: boolean;
  /** The error channel has a metav1.Status as JSON. */
  structuredStatus: boolean;
  /** A message of 255 and a channel's number closes that channel. */
  closeSignal: boolean;
}

/** Best first; "" is for clients that name none. */
export const channelProtocols: ChannelProtocol[] = [
  { name: "v5.channel.k8s.io", base64: false, structuredStatus: true, closeSignal: true },
  { name: "v4.channel.k8s.io", base64: false, structuredStatus: true, closeSignal: false },
  { name: "v4.base64.channel.k8s.io", base64: true, structuredStatus: true, closeSignal: false },
  { name: "channel.k8s.io", base64: false, structuredStatus: false, closeSignal: false },
  { name: "base64.channel.k8s.io", base64: true, structuredStatus: false, closeSignal: false },
  { name: "", base64: false, structuredStatus: false, closeSignal: false },
];

const closeSignal = 255;
const digitZero = 0x30;

export function encodeMessage({ base64 }: ChannelProtocol, channel: number, bytes: Buffer): Buffer | string {
  if (base64) return `${channel}${bytes.toString("base64")}`;
  const message = Buffer.allocUnsafe(bytes.length + 1);
  message[0] = channel;
  bytes.copy(message, 1);
  return message;
}

export type ChannelMessage = { channel: number; bytes: Buffer } | { closed: number } | undefined;

/** Undefined for a message that says nothing. Throws on one that is out of order. */
export function decodeMessage(protocol: ChannelProtocol, message: Buffer): ChannelMessage {
  if (message.length === 0) return undefined;
  const first = message[0]!;
  if (protocol.closeSignal && first === closeSignal) {
    if (message.length !== 2) throw new RangeError("a close signal names one channel");
    return { closed: message[1]! };
  }
  if (!protocol.base64) return { channel: first, bytes: message.subarray(1) };
  return { channel: first - digitZero, bytes: Buffer.from(message.toString("latin1", 1), "base64") };
}
