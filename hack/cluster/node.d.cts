export const PROJECT: string;
export const NODE: {
  name: string;
  address: string;
  gateway: string;
  podNetwork: string;
  serviceNetwork: string;
  apiService: string;
  dnsService: string;
  domain: string;
};
/** Paths on the node. */
export const FILES: {
  kubernetes: string;
  pki: string;
  manifests: string;
  adminConfig: string;
  kubeletConfig: string;
  /** What services.cjs keeps. */
  services: string;
  logs: string;
};
export function program(name: string): string;
