import { Code } from "@connectrpc/connect";
import type { Fault } from "../../src/domain/fault.ts";
import { httpStatusOf } from "../../src/door/http-answer.ts";
import { oauthAnswerOf } from "../../src/door/oauth.ts";
import { retryDelayMsOf, statusOf } from "../../src/rpc/errors.ts";
import type { Reason } from "../../src/rpc/status.ts";
import { EVERY_FAULT } from "./every-fault.ts";
import { type Comments, commentOn, readComments } from "./proto-comments.ts";

const ENUM = "keyturn.v1.ErrorReason";

/** What the code answers with a reason, over all faults that have it. */
export interface ReasonFacts {
  readonly reason: Reason;
  /** As gRPC writes it: `INVALID_ARGUMENT`. */
  readonly code: string;
  readonly httpStatus: number;
  readonly faults: readonly Fault[];
  /** Keys of the ErrorInfo's metadata. */
  readonly metadata: readonly string[];
  /** Names of the further `google.rpc` messages. */
  readonly details: readonly string[];
}

/** The facts of every reason, in the order of their numbers, taken from what the code makes of every fault. */
export function reasonFacts(comments: Comments): ReasonFacts[] {
  const byReason = Map.groupBy(Object.values(EVERY_FAULT).flat(), (fault) => statusOf(fault).reason);
  const reasons = [...comments.keys()]
    .filter((name) => name.startsWith(`${ENUM}.`))
    .map((name) => name.replace(`${ENUM}.ERROR_REASON_`, "") as Reason | "UNSPECIFIED");
  return reasons
    .filter((reason) => reason !== "UNSPECIFIED")
    .map((reason) => factsOf(reason, byReason.get(reason) ?? []));
}

/** Its comment without code and status. @throws TypeError for one that says others than the code, or not all of its metadata. */
export function meaningOfReason(
  comments: Comments,
  { reason, code, httpStatus, metadata }: ReasonFacts,
): string {
  const comment = commentOn(comments, `${ENUM}.ERROR_REASON_${reason}`);
  const start = `${code}, ${httpStatus}. `;
  const unsaid = metadata.filter((key) => !comment.includes(`\`${key}\``));
  if (!comment.startsWith(start) || unsaid.length > 0)
    throw new TypeError(
      `the comment on ${reason} must start with "${start}" and name ${metadata.join(", ")}`,
    );
  return comment.slice(start.length);
}

function factsOf(reason: Reason, faults: readonly Fault[]): ReasonFacts {
  const [status] = faults.map(statusOf);
  if (status === undefined) throw new TypeError(`no fault has the reason ${reason}`);
  const details = faults.flatMap((fault) => statusOf(fault).details);
  const infos = details.flatMap(({ value }) => ("metadata" in value ? [value.metadata as object] : []));
  return {
    reason,
    code: codeName(status.code),
    httpStatus: httpStatusOf(status),
    faults,
    metadata: [...new Set(infos.flatMap((metadata) => Object.keys(metadata)))],
    details: [...new Set(details.slice(1).map(({ desc }) => desc.name))].filter(
      (name) => name !== "ErrorInfo",
    ),
  };
}

/** `InvalidArgument` as gRPC writes it; Connect spells one of them with a single l. */
const codeName = (code: Code): string =>
  code === Code.Canceled ? "CANCELLED" : Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();

/** docs/errors.md: every reason that an error can have, as the protos and the code have it. */
export function errorReference(): string {
  const comments = readComments();
  const facts = reasonFacts(comments);
  const [what = "", ...advice] = commentOn(comments, ENUM).split("\n\n");
  const introduction = [
    "# Errors",
    "",
    "Generated from `proto/keyturn/v1/error_reason.proto` and from what the code answers, by `npm run generate`.",
    "",
    what,
    "",
    ...advice,
    "",
    "The OAuth column is the `error` of RFC 6749 at the paths of tokens; other paths have the envelope with the reason. The message says what to do next; it is for people, may change, and is quoted with examples of names and numbers.",
  ];
  const table = [
    "",
    "| reason | gRPC | REST | OAuth | try again blindly |",
    "| --- | --- | --- | --- | --- |",
    ...facts.map(rowOf),
  ];
  return `${[...introduction, ...table, ...facts.flatMap((fact) => sectionOf(comments, fact))].join("\n")}\n`;
}

function rowOf({ reason, code, httpStatus, faults }: ReasonFacts): string {
  const cells = [
    `[\`${reason}\`](#${reason.toLowerCase()})`,
    `\`${code}\``,
    httpStatus,
    ...oauthAndRetry(faults),
  ];
  return `| ${cells.join(" | ")} |`;
}

function oauthAndRetry(faults: readonly Fault[]): string[] {
  const answers = faults.filter(isOfTokens).map(oauthAnswerOf);
  const oauth = answers.map(({ httpStatus, body }) => `\`${body.error}\`, ${httpStatus}`);
  const isRetried = faults.map((fault) => retryDelayMsOf(fault) !== undefined);
  const retry = isRetried.every(Boolean) ? "yes" : isRetried.some(Boolean) ? "with RetryInfo" : "no";
  return [[...new Set(oauth)].join("; "), retry];
}

/** Whether the paths of tokens can answer so: they know no resources, and know no rules for them. */
const isOfTokens = (fault: Fault): boolean => {
  switch (fault.kind) {
    case "permission_denied":
      return fault.unseen === undefined;
    case "unauthenticated":
    case "invalid_argument":
    case "invalid_request":
    case "invalid_client":
    case "unsupported_grant_type":
    case "invalid_scope":
    case "too_many_attempts":
    case "lock_timeout":
    case "unavailable":
    case "deadline_exceeded":
    case "internal":
    case "content_type_unsupported":
    case "message_too_large":
      return true;
    default:
      return false;
  }
};

function sectionOf(comments: Comments, fact: ReasonFacts): string[] {
  const example = fact.faults.find(({ kind }) => kind.toUpperCase() === fact.reason) ?? fact.faults[0];
  const message = example === undefined ? "" : statusOf(example).message;
  const list = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ");
  return [
    "",
    `## ${fact.reason}`,
    "",
    meaningOfReason(comments, fact),
    "",
    ...(fact.metadata.length === 0 ? [] : [`- metadata: ${list(fact.metadata)}`]),
    ...(fact.details.length === 0 ? [] : [`- details: ${list(fact.details)}`]),
    `- message: "${message}"`,
  ];
}
