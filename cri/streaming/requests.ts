import type { ContainerId, SandboxId } from "../../api/ids";

/** What the kubelet has asked for and a client may now come for; checked before a URL is given out. */
export type StreamRequest = ExecStreamRequest | AttachStreamRequest | PortForwardStreamRequest;

export interface RemoteCommandFlags {
  stdin: boolean;
  stdout: boolean;
  /** Never together with a terminal. */
  stderr: boolean;
  tty: boolean;
}

export interface ExecStreamRequest extends RemoteCommandFlags {
  kind: "exec";
  containerId: ContainerId;
  command: string[];
}

export interface AttachStreamRequest extends RemoteCommandFlags {
  kind: "attach";
  containerId: ContainerId;
}

export interface PortForwardStreamRequest {
  kind: "portforward";
  sandboxId: SandboxId;
  /** A hint: the client names a port for each connection. WebSocket channels go by it. */
  ports: number[];
}

/** Gives out URLs; what the RPCs know of streaming. */
export interface StreamUrls {
  /** Absolute; good for one client, for a minute. Throws ResourceExhausted where too many wait for theirs. */
  urlFor(request: StreamRequest): string;
}
