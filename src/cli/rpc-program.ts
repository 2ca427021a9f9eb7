import { type DescField, getOption } from "@bufbuild/protobuf";
import { type Command, InvalidArgumentError, Option } from "commander";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { addConnectionOptions } from "./connection.ts";
import { optionOf } from "./field-text.ts";
import { FORMATS } from "./output.ts";
import { fieldOf, type RpcCommand, sendsSecret } from "./rpc-command.ts";
import { clearable } from "./rpc-request.ts";
import { RPC_COMMANDS } from "./rpc-table.ts";
import type { Terminal } from "./terminal.ts";

const GROUPS: Readonly<Record<string, string>> = {
  "service-account": "look after service accounts",
  credential: "issue, rotate, delete and check client secrets",
  policy: "look after the rules by which credentials are created",
  audit: "look at the audit trail",
};

const EXIT_CODES =
  "\nExit code: 0 done, 1 refused, 2 the command line was wrong or it could not be found out.";
const VERIFY_EXIT_CODES = "\nExit code: 0 the secret holds, 1 it does not, 2 it could not be found out.";

/** Adds the commands that are RPCs, each to its group. */
export function addRpcCommands(program: Command, terminal: Terminal, ended: (code: number) => void): void {
  for (const row of RPC_COMMANDS) {
    const group =
      program.commands.find((candidate) => candidate.name() === row.group) ??
      program.command(row.group).description(GROUPS[row.group] ?? "");
    addRpcCommand(group, row, terminal, ended);
  }
}

function addRpcCommand(
  group: Command,
  row: RpcCommand,
  terminal: Terminal,
  ended: (code: number) => void,
): void {
  const command = group.command(row.name).description(row.summary);
  for (const name of row.args) command.argument(`<${argumentOf(row, name)}>`);
  for (const [name, words] of Object.entries(row.options)) {
    const field = fieldOf(row.method, name);
    command.addOption(optionOf(field, words, isRequired(field)));
  }
  for (const option of extraOptions(row)) command.addOption(option);
  command.addOption(
    new Option("-o, --output <format>", "default: table on a terminal, else json").choices(FORMATS),
  );
  addConnectionOptions(command);
  const examples = row.examples.map((example) => `  $ keyturn ${example}`).join("\n");
  command.addHelpText("after", `\nExamples:\n${examples}`);
  command.addHelpText("after", row.verifies ? VERIFY_EXIT_CODES : EXIT_CODES);
  command.action(async (...given: unknown[]) => {
    const { runRpc } = await import("./rpc-run.ts");
    ended(await runRpc(terminal, row, given.slice(0, row.args.length) as string[], command.opts()));
  });
}

function extraOptions(row: RpcCommand): Option[] {
  const clear = clearable(row).map((name) => name.replaceAll("_", "-"));
  return [
    ...(clear.length > 0
      ? [new Option("--clear <field>", `take back: ${clear.join(", ")}; several times`).argParser(collect)]
      : []),
    ...(row.columns === undefined
      ? []
      : [new Option("--limit <number>", "stop after so many; default: all").argParser(countOf)]),
    ...(row.issues
      ? [
          new Option("--secret-file <file>", "write the secret to a new file that only its owner may read"),
          new Option("--show-secret", "print the secret"),
        ]
      : []),
    ...(sendsSecret(row)
      ? [new Option("--secret-file <file>", "file with the secret; default: standard input")]
      : []),
    ...(row.confirm === undefined ? [] : [new Option("--yes", "it is meant")]),
  ];
}

/** `service_account_id` as `service-account`; a bare `id` is that of what the group is about. */
const argumentOf = (row: RpcCommand, name: string): string =>
  name === "id" ? row.group : name.replace(/_id$/, "").replaceAll("_", "-");

const isRequired = (field: DescField): boolean =>
  getOption(field, field_behavior).includes(FieldBehavior.REQUIRED);

const collect = (text: string, earlier: readonly string[] = []): string[] => [...earlier, ...text.split(",")];

function countOf(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("must be a positive whole number");
  return Number(text);
}
