/** The frames of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00 with the 3.1 changes, 2.2 and 2.6) that Kubernetes uses. */
export const ControlType = {
  SYN_STREAM: 1,
  SYN_REPLY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  HEADERS: 8,
  WINDOW_UPDATE: 9,
} as const;

export const ResetReason = { PROTOCOL_ERROR: 1, INVALID_STREAM: 2, REFUSED_STREAM: 3, CANCEL: 5, INTERNAL: 6 } as const;

export const FLAG_FIN = 1;
export const FLAG_UNIDIRECTIONAL = 2;
export const headerBytes = 8;

export interface FrameHeader {
  /** Undefined in a data frame. */
  control: { version: number; type: number } | undefined;
  /** 0 in a control frame. */
  streamId: number;
  flags: number;
  length: number;
}

export function readFrameHeader(bytes: Buffer): FrameHeader {
  const first = bytes.readUInt32BE(0);
  const isControl = first >= 0x80000000;
  return {
    control: isControl ? { version: (first >>> 16) & 0x7fff, type: first & 0xffff } : undefined,
    streamId: isControl ? 0 : first,
    flags: bytes[4]!,
    length: bytes.readUIntBE(5, 3),
  };
}

export function dataHeader(streamId: number, flags: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt32BE(streamId, 0);
  header[4] = flags;
  header.writeUIntBE(length, 5, 3);
  return header;
}

export function controlFrame(type: number, payload: Buffer): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt16BE(0x8003, 0);
  header.writeUInt16BE(type, 2);
  header[4] = 0;
  header.writeUIntBE(payload.length, 5, 3);
  return Buffer.concat([header, payload]);
}

export function resetFrame(streamId: number, reason: number): Buffer {
  const payload = Buffer.allocUnsafe(8);
  payload.writeUInt32BE(streamId, 0);
  payload.writeUInt32BE(reason, 4);
  return controlFrame(ControlType.RST_STREAM, payload);
}

export function replyFrame(streamId: number, headerBlock: Buffer): Buffer {
  const id = Buffer.allocUnsafe(4);
  id.writeUInt32BE(streamId, 0);
  return controlFrame(ControlType.SYN_REPLY, Buffer.concat([id, headerBlock]));
}
