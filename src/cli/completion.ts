import type { Command, Option } from "commander";
import { EXIT } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

export function addCompletionCommand(
  program: Command,
  terminal: Terminal,
  ended: (code: number) => void,
): void {
  const group = program.command("completion").description("print a script that completes this command line");
  const shells = {
    bash: { script: bashScript, use: "source <(keyturn completion bash)" },
    zsh: { script: zshScript, use: "source <(keyturn completion zsh)" },
  };
  for (const [shell, { script, use }] of Object.entries(shells)) {
    group
      .command(shell)
      .description(`for ${shell}, to be sourced at its start`)
      .addHelpText("after", `\nExamples:\n  $ ${use}\n\nExit code: 0.`)
      .action(() => {
        terminal.out(script(program));
        ended(EXIT.yes);
      });
  }
}

/** What may stand behind a path of commands. */
interface Place {
  /** The commands that lead there, such as `credential create`; empty for `keyturn` itself. */
  readonly path: string;
  readonly commands: readonly string[];
  readonly options: readonly string[];
  /** Options that take a value, by each of their flags: the words to choose from, if there are any. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** The whole tree, as commander has it. */
function placesOf(command: Command, path = ""): Place[] {
  const help = command.createHelp();
  const options = help.visibleOptions(command);
  const here: Place = {
    path,
    commands: command.commands.map((sub) => sub.name()),
    options: options.flatMap((option) => (option.long ? [option.long] : [])),
    values: new Map(
      options.filter(takesValue).flatMap((option) => flagsOf(option).map((flag) => [flag, wordsOf(option)])),
    ),
  };
  return [here, ...command.commands.flatMap((sub) => placesOf(sub, `${path} ${sub.name()}`.trim()))];
}

const takesValue = ({ required, optional }: Option): boolean => required || optional;
const flagsOf = ({ short, long }: Option): string[] => [short, long].filter((flag) => flag !== undefined);
const wordsOf = (option: Option): readonly string[] => option.argChoices ?? enumWords(option);

/** Options of enums say their words at the end of their help: "…: active or disabled". */
const enumWords = ({ description }: Option): string[] => {
  const [, words] = /: (\w+(?: or \w+)+)$/.exec(description) ?? [];
  return words?.split(" or ") ?? [];
};

/**
 * One function for both shells: it finds the place by going over the words before the current one, and sets `reply` to the
 * words that may come next, or `files` where a file may.
 */
function finder(program: Command): string {
  const places = placesOf(program);
  const values = places.flatMap(({ path, values }) =>
    [...values].map(([flag, words]) => `    "${path}|${flag}") value=1; reply="${words.join(" ")}" ;;`),
  );
  const nexts = places.map(
    ({ path, commands, options }) =>
      `    "${path}") commands="${commands.join(" ")}"; options="${options.join(" ")}" ;;`,
  );
  return `
# Whether an option takes a value, and which words it can be.
_keyturn_value() {
  value=0; reply=""
  case "$1|$2" in
${values.join("\n")}
  esac
}
# What may come behind a path of commands.
_keyturn_place() {
  commands=""; options=""
  case "$1" in
${nexts.join("\n")}
  esac
}
# Arguments: the current word, then all words between keyturn and it.
_keyturn_find() {
  local current="$1" place="" value=0 commands options word skip=0
  shift
  files=0
  for word in "$@"; do
    if [ "$skip" = 1 ]; then skip=0; continue; fi
    case "$word" in
      -*) _keyturn_value "$place" "$word"; skip=$value ;;
      *) _keyturn_place "$place"
         case " $commands " in *" $word "*) if [ -z "$place" ]; then place="$word"; else place="$place $word"; fi ;; esac ;;
    esac
  done
  if [ "$skip" = 1 ]; then
    _keyturn_value "$place" "$word"
    if [ -z "$reply" ]; then files=1; fi
    return
  fi
  _keyturn_place "$place"
  case "$current" in
    -*) reply="$options" ;;
    *) reply="$commands" ;;
  esac
}
`;
}

const bashScript = (program: Command): string => `# Completion of keyturn for bash.
${finder(program)}
_keyturn() {
  local reply="" files=0 current="\${COMP_WORDS[COMP_CWORD]}"
  _keyturn_find "$current" "\${COMP_WORDS[@]:1:COMP_CWORD-1}"
  if [ "$files" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$reply" -- "$current")
  fi
}
complete -F _keyturn keyturn
`;

const zshScript = (program: Command): string => `#compdef keyturn
# Completion of keyturn for zsh.
${finder(program)}
_keyturn() {
  local reply="" files=0 current="\${words[CURRENT]}"
  _keyturn_find "$current" "\${(@)words[2,CURRENT-1]}"
  if [ "$files" = 1 ]; then
    _files
  else
    compadd -- \${=reply}
  fi
}
if [ -z "\${functions[compdef]}" ]; then autoload -Uz compinit && compinit; fi
compdef _keyturn keyturn
`;
