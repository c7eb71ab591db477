import { newSandboxId } from "../api/ids";
import { HostPorts, type PortHolder } from "./host-ports";

const pod = (name: string, uid = name): PortHolder => ({ sandboxId: newSandboxId(), namespace: "default", name, uid });
const mapped = (hostIP = "", hostPort = 80, protocol = "tcp") => ({
  portMappings: [{ hostPort, containerPort: 8080, protocol, ...(hostIP ? { hostIP } : {}) }],
});

test.each([
  ["", "", true],
  ["", "10.0.0.1", true],
  ["0.0.0.0", "10.0.0.1", true],
  ["10.0.0.1", "::", true],
  ["0.0.0.0", "fd00::1", true],
  ["10.0.0.1", "10.0.0.1", true],
  ["fd00::1", "fd00:0:0:0:0:0:0:1", true],
  ["10.0.0.1", "10.0.0.2", false],
  ["10.0.0.1", "fd00::1", false],
])("claim() of the same port on %j and on %j: refused is %s", (first, second, refused) => {
  for (const [a, b] of [
    [first, second],
    [second, first],
  ] as const) {
    const ports = new HostPorts();
    ports.claim(pod("a"), mapped(a));
    const attempt = () => ports.claim(pod("b"), mapped(b));
    if (refused) expect(attempt).toThrow("is taken by pod default/a");
    else attempt();
  }
});

test("claim() tells port, address and who has it", () => {
  const ports = new HostPorts();
  const first = pod("a");
  ports.claim(first, mapped("fd00::1", 443));
  expect(() => ports.claim(pod("b"), mapped("fd00::1", 443))).toThrow(
    expect.objectContaining({
      code: "FailedPrecondition",
      message: `host port [fd00::1]:443/tcp is taken by pod default/a (sandbox ${first.sandboxId})`,
    }),
  );
});

test("claim() minds neither another protocol or port, nor another sandbox of the same pod", () => {
  const ports = new HostPorts();
  ports.claim(pod("a"), mapped());
  ports.claim(pod("b"), mapped("", 80, "udp"));
  ports.claim(pod("c"), mapped("", 81));
  ports.claim(pod("a"), mapped());
  ports.claim(pod("d"), {});
});

test("claim() takes all or nothing, and release() gives all back", () => {
  const ports = new HostPorts();
  const [first, second] = [pod("a"), pod("b")];
  ports.hold(first, mapped());
  const both = { portMappings: [...mapped("", 81).portMappings, ...mapped().portMappings] };
  expect(() => ports.claim(second, both)).toThrow("host port 80/tcp");
  ports.claim(pod("c"), mapped("", 81));
  ports.release(first.sandboxId);
  ports.claim(second, mapped());
});
