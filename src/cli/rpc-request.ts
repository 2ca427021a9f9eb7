import { randomUUID } from "node:crypto";
import {
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { UsageError } from "./exit-code.ts";
import { fieldOf, hasField, type RpcCommand } from "./rpc-command.ts";

const REQUEST_ID = "request_id";
const UPDATE_MASK = "update_mask";

/** What a command line asks for, as the message of its RPC. @throws UsageError for what contradicts itself. */
export function requestOf(
  row: RpcCommand,
  args: readonly string[],
  options: Readonly<Record<string, JsonValue | undefined>>,
): MessageShape<DescMessage> {
  const { method } = row;
  const json: JsonObject = { ...row.fixed };
  for (const [index, name] of row.args.entries()) json[fieldOf(method, name).jsonName] = args[index] ?? "";
  const given = Object.keys(row.options).filter(
    (name) => options[fieldOf(method, name).jsonName] !== undefined,
  );
  for (const name of given) {
    const { jsonName } = fieldOf(method, name);
    json[jsonName] = options[jsonName] ?? null;
  }
  // A call whose answer got lost may be repeated by the channel: it must not do its work twice.
  if (hasField(method, REQUEST_ID)) json["requestId"] ??= randomUUID();
  if (hasField(method, UPDATE_MASK)) json["updateMask"] = maskOf(row, given, options["clear"]);
  return fromJson(method.input, json);
}

/** Which fields an update changes. Named, so that an empty list or text takes away what was there. */
function maskOf(row: RpcCommand, given: readonly string[], clear: JsonValue | undefined): string {
  const cleared = Array.isArray(clear) ? clear.map((flag) => clearedField(row, String(flag), given)) : [];
  const changed = given.filter((name) => isChangeable(name));
  const names = [...Object.keys(row.fixed ?? {}), ...changed, ...cleared];
  if (names.length === 0) throw new UsageError("nothing to change was named");
  return names.map((name) => fieldOf(row.method, name).jsonName).join(",");
}

function clearedField(row: RpcCommand, flag: string, given: readonly string[]): string {
  const name = flag.replace(/^--/, "").replaceAll("-", "_");
  if (!clearable(row).includes(name))
    throw new UsageError(`--clear ${flag}: there is no such field to clear`);
  if (given.includes(name)) throw new UsageError(`--clear ${flag} and --${flag} exclude each other`);
  return name;
}

/** Fields of an update that can be taken back. */
export const clearable = (row: RpcCommand): string[] =>
  hasField(row.method, UPDATE_MASK) ? Object.keys(row.options).filter(isChangeable) : [];

const isChangeable = (name: string): boolean => !["etag", "validate_only", REQUEST_ID].includes(name);
