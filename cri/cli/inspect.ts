import { BerthError } from "../../api/errors";
import { type Command, configHelp, printJson, withClient } from "./command";

export const inspect: Command = {
  usage: "inspect [--config FILE] ID ...",
  help: `Prints all that is known of containers, pods and images as JSON, each named by its ID, a beginning of it that
only one has, or an image's name. Of a container that is its runtime spec too.\n\n${configHelp}`,
  options: {},
  run: (values, ids) =>
    withClient(values, async (client) => {
      if (ids.length === 0) throw new BerthError("InvalidArgument", "name a container, a pod or an image");
      const found: unknown[] = [];
      for (const id of ids) {
        const [{ containers }, { items }] = await Promise.all([
          client.runtime("ListContainers", { filter: { id } }),
          client.runtime("ListPodSandbox", { filter: { id } }),
        ]);
        const [container, pod] = [containers[0], items[0]];
        if (container) {
          const answer = await client.runtime("ContainerStatus", { containerId: container.id, verbose: true });
          found.push({ kind: "container", status: answer.status, info: parsed(answer.info) });
        } else if (pod) {
          const answer = await client.runtime("PodSandboxStatus", { podSandboxId: pod.id, verbose: true });
          found.push({ kind: "pod", status: answer.status, info: parsed(answer.info) });
        } else {
          const { image, info } = await client.image("ImageStatus", { image: { image: id }, verbose: true });
          if (!image) throw new BerthError("NotFound", `there is no container, no pod and no image ${id}`);
          found.push({ kind: "image", status: image, info: parsed(info) });
        }
      }
      printJson(found);
      return 0;
    }),
};

/** The values of a verbose answer are JSON where they can be. */
function parsed(info: Record<string, string>): unknown {
  return Object.fromEntries(
    Object.entries(info).map(([key, text]) => {
      try {
        return [key, JSON.parse(text)];
      } catch {
        return [key, text];
      }
    }),
  );
}
