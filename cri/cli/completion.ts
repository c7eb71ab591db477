import { BerthError } from "../../api/errors";
import { type Command, type Commands, configHelp, withClient } from "./command";

const shells = { bash, zsh, fish };
/** What stands after a command's own options. */
const subjects: Record<string, Subject> = {
  logs: "containers",
  exec: "containers",
  rm: "containers",
  inspect: "containers",
  run: "images",
  export: "images",
  pull: "images",
};
type Subject = "containers" | "images";

export const completionOf = (commands: Commands): Command => ({
  usage: "completion bash|zsh|fish",
  help: `Prints a script that completes Berth's commands, options, containers and images.

  bash   berth completion bash > /etc/bash_completion.d/berth
  zsh    berth completion zsh > /usr/local/share/zsh/site-functions/_berth
  fish   berth completion fish > /etc/fish/completions/berth.fish

completion containers and completion images print the words that the scripts ask for.\n${configHelp}`,
  options: {},
  async run(values, [what = ""]) {
    if (what === "containers" || what === "images") {
      await withClient(values, async (client) => {
        const words =
          what === "containers"
            ? (await client.runtime("ListContainers", {})).containers.map(({ id }) => id.slice(0, 13))
            : (await client.image("ListImages", {})).images.flatMap(({ repoTags }) => repoTags);
        process.stdout.write(words.map((word) => `${word}\n`).join(""));
      });
      return 0;
    }
    if (!Object.hasOwn(shells, what))
      throw new BerthError("InvalidArgument", "name a shell: bash, zsh or fish", { hint: "berth completion --help" });
    process.stdout.write(shells[what as keyof typeof shells](await describe(commands)));
    return 0;
  },
});

interface Described {
  name: string;
  summary: string;
  /** With their dashes. */
  options: string[];
  subject: Subject | undefined;
}

async function describe(commands: Commands): Promise<Described[]> {
  return Promise.all(
    Object.entries(commands).map(async ([name, { summary, load }]) => {
      const { options } = await load();
      const names = [...Object.keys(options), "config", "help"].map((option) => `--${option}`);
      return { name, summary, options: names, subject: subjects[name] };
    }),
  );
}

function bash(all: Described[]): string {
  const cases = all.map(({ name, options, subject }) => {
    const words = subject ? `; [[ $word == -* ]] || words+=" $(berth completion ${subject} 2>/dev/null)"` : "";
    return `    ${name}) words="${options.join(" ")}"${words} ;;`;
  });
  return `# bash completion of berth; made by: berth completion bash
_berth() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=""
  if ((COMP_CWORD == 1)); then
    words="${all.map(({ name }) => name).join(" ")}"
  else
    case \${COMP_WORDS[1]} in
${cases.join("\n")}
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _berth berth
`;
}

function zsh(all: Described[]): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const list = all.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = all.map(({ name, options, subject }) => {
    const words = subject ? ` \${(f)"$(berth completion ${subject} 2>/dev/null)"}` : "";
    return `    ${name}) found=(${options.join(" ")}${words}) ;;`;
  });
  return `#compdef berth
# zsh completion of berth; made by: berth completion zsh
_berth() {
  local -a list found
  list=(
${list.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command list
    return
  fi
  case $words[2] in
${cases.join("\n")}
  esac
  compadd -a found || _files
}
_berth "$@"
`;
}

function fish(all: Described[]): string {
  const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = all.flatMap(({ name, summary, options, subject }) => [
    `complete -c berth -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...options.map((option) => `complete -c berth -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`),
    ...(subject
      ? [`complete -c berth -n '__fish_seen_subcommand_from ${name}' -a '(berth completion ${subject} 2>/dev/null)'`]
      : []),
  ]);
  return `# fish completion of berth; made by: berth completion fish\n${lines.join("\n")}\n`;
}
