import type { Command } from "commander";
import { wholeProgram } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";

const WIDTH = 110;

/** docs/command-line.md: what every command says of itself. */
export async function commandLineReference(): Promise<string> {
  let said = "";
  // Nothing is run: the commands are asked for their help, and for nothing else.
  const out = (text: string) => {
    said += text;
  };
  const terminal = { out, err: () => {} } as unknown as Terminal;
  const program = await wholeProgram(terminal, () => {});
  const helpOf = (command: Command): string => {
    said = "";
    command.configureOutput({ getOutHelpWidth: () => WIDTH }).outputHelp();
    return said.trimEnd();
  };
  const helps = commandsOf(program).map(({ path, command }) => ({ path, help: helpOf(command) }));
  const connection = helps.map(({ help }) => CONNECTION.exec(help)?.[1]).find((text) => text !== undefined);
  const sections = helps.map(({ path, help }) => section(path, help.replace(CONNECTION, "\n")));
  return [INTRODUCTION, section("Options of every command that calls", connection ?? ""), ...sections].join(
    "\n",
  );
}

/** What stands below that heading: the same at every command that calls, so it is said once. */
const CONNECTION = /\nConnection:\n((?: .*\n)+)/;

const section = (title: string, text: string): string =>
  `## ${title}\n\n\`\`\`text\n${text.replace(/^\n+|\n+$/g, "")}\n\`\`\`\n`;

interface Found {
  readonly path: string;
  readonly command: Command;
}

/** What can be run, in the order of the help. */
function commandsOf(command: Command, path = ""): Found[] {
  const subs = command.commands.flatMap((sub) => commandsOf(sub, `${path} ${sub.name()}`.trim()));
  return subs.length > 0 ? subs : [{ path, command }];
}

const INTRODUCTION = `# Command line

Generated from the commands themselves by \`npm run generate\`; \`keyturn COMMAND --help\` says the same.

In a checkout it is \`npm run -s keyturn -- COMMAND\`, or \`bin/keyturn.mjs COMMAND\`. Commands that look after service accounts, credentials and policies call the
gRPC door as anybody does, with the bearer token of whoever runs them:

\`\`\`sh
export KEYTURN_ADDRESS=keyturn.example.com:50051 KEYTURN_ACCESS_TOKEN=...
keyturn credential create sa-pipeline-prod --secret-file secret
\`\`\`

\`KEYTURN_ADDRESS\` is \`127.0.0.1:50051\` unless it is set. Whatever is no loopback address is spoken to by TLS, unless \`--plaintext\` says otherwise. Neither
tokens nor secrets are arguments, which every process of a machine can read: a token is in \`KEYTURN_ACCESS_TOKEN\` or in a file, a secret comes by
standard input or in a file. Without a token a certificate says who calls (\`--cert-file\`, \`KEYTURN_CLIENT_CERTIFICATE_CALLERS\` of the server). Calls that the published \`service_config.json\` says may be repeated are, when the service cannot be reached.

| exit code | meaning |
| --- | --- |
| 0 | done; the answer is yes |
| 1 | refused; the answer is no. \`serve\`, \`migrate\` and \`token\`: it could not be done |
| 2 | it could not be found out: the command line was wrong, a file or the output could not be written, a file could not be read, the service or the database did not answer |
| 130, 143 | SIGINT (Ctrl-C) or SIGTERM has ended it |

What went wrong stands on standard error: the reason, a sentence, the metadata of the error and the id under which the service has logged the call; with \`--output
json\` as JSON. What is wrong with the command line itself, a file or the output is a sentence in any case. Answers stand on standard output, as a table on a terminal and as JSON elsewhere. A list is all of it, however many pages that takes.

A secret is shown once, so nothing is issued by \`--show-secret\` where standard output is closed or the null device. Where it could not be written for another reason
(a full disk, a reader that has gone), or no answer came before the command ended, it leaves no empty file behind and says by which \`--request-id\` the same call
gives the same secret again, for ten minutes.

Completion: \`source <(keyturn completion bash)\`, or \`zsh\`, in the start file of the shell.
`;
