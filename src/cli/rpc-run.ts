import type { DescMessage, JsonObject, JsonValue, MessageShape } from "@bufbuild/protobuf";
import { KeyturnError } from "../client/call-error.ts";
import type { Channel } from "../client/channel.ts";
import { presentedSecret } from "../client/presented-secret.ts";
import { toRestJson } from "../door/rest-json.ts";
import { type ConnectionOptions, openConnection } from "./connection.ts";
import { EXIT, Interruption, UsageError } from "./exit-code.ts";
import { failureJson, failureText } from "./failure-output.ts";
import { type Format, formatOf, printList, printResource } from "./output.ts";
import { showProgress } from "./progress.ts";
import { type RpcCommand, sendsSecret } from "./rpc-command.ts";
import { requestOf } from "./rpc-request.ts";
import { NO_SECRET, openSecretSink, type SecretOptions } from "./secret-sink.ts";
import { OutputError } from "./standard-output.ts";
import type { Terminal } from "./terminal.ts";
import { readText } from "./tls-files.ts";

type Options = ConnectionOptions &
  SecretOptions & {
    readonly output?: Format;
    readonly limit?: number;
    readonly yes?: boolean;
    readonly validateOnly?: boolean;
  } & Readonly<Record<string, JsonValue | undefined>>;

interface Run {
  readonly terminal: Terminal;
  readonly row: RpcCommand;
  readonly options: Options;
  readonly format: Format;
  readonly channel: Channel;
  readonly request: Message;
  /** Ends its calls. */
  readonly signal?: AbortSignal;
}

type Message = MessageShape<DescMessage> & Record<string, unknown>;

const PAGE_SIZE = 500;

/** Calls the RPC of a command, prints its answer, and gives the exit code. */
export async function runRpc(
  terminal: Terminal,
  row: RpcCommand,
  args: readonly string[],
  given: object,
): Promise<number> {
  const options = given as Options;
  let channel: Channel | undefined;
  let request: Message | undefined;
  try {
    if (row.confirm !== undefined && !options.yes && !options.validateOnly)
      throw new UsageError(`${row.confirm}. Say --yes to do so`);
    request = requestOf(row, args, options) as Message;
    if (sendsSecret(row)) request["clientSecret"] = await givenSecret(terminal, options);
    channel = openConnection(terminal, options, row.isPublic);
    const run: Run = { terminal, row, options, format: formatOf(options.output, terminal), channel, request };
    if (row.columns !== undefined) return await runList(run, row.columns);
    return await (row.issues ? runIssue(run) : runOne(run));
  } catch (err) {
    if (err instanceof UsageError) {
      terminal.err(`keyturn: ${err.message}\n`);
      return EXIT.unknown;
    }
    if (err instanceof Interruption) {
      terminal.err(`keyturn: ${err.message}\n`);
      return err.exitCode;
    }
    if (err instanceof OutputError && err.isReaderGone && row.columns !== undefined) return EXIT.yes;
    if (!(err instanceof KeyturnError)) throw err;
    const again = row.issues && isOpen(err) && request !== undefined ? againOf(request) : undefined;
    terminal.err(options.output === "json" ? failureJson(err, again) : failureText(err));
    return err.isRefusal && !row.verifies ? EXIT.no : EXIT.unknown;
  } finally {
    channel?.close();
  }
}

async function runOne(run: Run): Promise<number> {
  const answer = await answered(run, run.request);
  const [resource, exitCode] = run.row.verifies ? verdictOf(answer) : ([answer, EXIT.yes] as const);
  printResource(run.terminal, run.format, resource);
  return exitCode;
}

/** The refusal has no fields, which looks like nothing at all: it is printed by its name. */
function verdictOf(answer: JsonObject): readonly [JsonObject, number] {
  return "principal" in answer ? [answer, EXIT.yes] : [{ refusal: "the secret does not hold" }, EXIT.no];
}

async function runIssue(run: Run): Promise<number> {
  const { terminal, options, request } = run;
  const sink = options.validateOnly ? NO_SECRET : openSecretSink(options);
  if (sink.isShown && terminal.isOutDiscarded())
    throw new UsageError(
      "--show-secret: standard output is closed or the null device, and a secret is shown once",
    );
  try {
    const answer = await answered({ ...run, signal: interruption(terminal) }, request);
    const { clientSecret, ...credential } = answer;
    if (typeof clientSecret === "string") sink.keep(clientSecret);
    printResource(terminal, run.format, sink.isShown ? answer : credential);
    if (options.validateOnly || typeof clientSecret === "string") return EXIT.yes;
    terminal.err("keyturn: this call was answered before, and its secret cannot be had again\n");
    return EXIT.no;
  } catch (err) {
    // The credential may be there all the same, and its secret can be had for ten minutes by asking in the same words.
    const isInJson = err instanceof KeyturnError && options.output === "json";
    if (isOpen(err) && !isInJson)
      terminal.err(`keyturn: to ask for the same answer again, add ${againOf(request)}\n`);
    if (err instanceof Error && "code" in err && !(err instanceof KeyturnError || err instanceof OutputError))
      throw new UsageError(`the secret could not be written (${String(err.code)})`);
    throw err;
  } finally {
    sink.release();
  }
}

const isOpen = (err: unknown): boolean => !(err instanceof KeyturnError && err.isRefusal);

const againOf = (request: Message): string => `--request-id ${String(request["requestId"])}`;

/** Whoever ends the command while it waits is told how to go on, and no empty file stands in his way. */
function interruption(terminal: Terminal): AbortSignal {
  const controller = new AbortController();
  terminal.onSignal(Interruption.signals, (signal) => controller.abort(new Interruption(signal)));
  return controller.signal;
}

async function runList(run: Run, columns: readonly string[]): Promise<number> {
  const { terminal, row, options, request } = run;
  const name = row.method.output.fields.find(({ fieldKind }) => fieldKind === "list")?.jsonName ?? "";
  const printer = printList(terminal, run.format, { name, columns });
  const progress = showProgress(terminal);
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let count = 0;
  try {
    for (let pageToken: string | undefined = ""; pageToken !== undefined && left > 0; ) {
      const page = await answered(run, { ...request, pageToken, pageSize: Math.min(PAGE_SIZE, left) });
      const items = (page[name] ?? []) as JsonObject[];
      progress.clear();
      printer.page(items);
      left -= items.length;
      count += items.length;
      pageToken = page["nextPageToken"] as string | undefined;
      if (pageToken !== undefined && left > 0) progress.say(`${count} so far`);
    }
    printer.end();
    return EXIT.yes;
  } finally {
    progress.clear();
  }
}

async function answered({ row, channel, terminal, signal }: Run, request: Message): Promise<JsonObject> {
  const progress = showProgress(terminal);
  const timer = setTimeout(() => progress.say("waiting for the service"), SILENT_MS).unref();
  try {
    return toRestJson(row.method.output, await channel.call(row.method, request, { signal })) as JsonObject;
  } finally {
    clearTimeout(timer);
    progress.clear();
  }
}

const SILENT_MS = 1_000;

/** A secret never stands on the command line, where every process of the machine could read it. */
async function givenSecret(terminal: Terminal, { secretFile }: SecretOptions): Promise<string> {
  if (secretFile === undefined && terminal.isInputTerminal)
    throw new UsageError("the secret comes by standard input, or by --secret-file FILE");
  const text = secretFile === undefined ? await terminal.readInput() : readText(secretFile);
  const secret = presentedSecret(text);
  if (secret === "") throw new UsageError("there is no secret in it");
  return secret;
}
