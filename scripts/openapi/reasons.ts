import type { Route } from "../../src/door/routes.ts";
import { accessOf } from "../../src/rpc/access.ts";
import type { Reason } from "../../src/rpc/status.ts";
import { type Comments, commentOn } from "../references/proto-comments.ts";

/** What every call can end in. CANCELLED is never among its reasons: nobody is there to hear it. */
const ALWAYS: readonly Reason[] = [
  "INVALID_ARGUMENT",
  "OVERLOADED",
  "DATABASE_UNAVAILABLE",
  "DEADLINE_EXCEEDED",
  "INTERNAL",
];

const WITH_TOKEN: readonly Reason[] = ["UNAUTHENTICATED", "KEY_SET_UNAVAILABLE"];
const WITH_BODY: readonly Reason[] = ["CONTENT_TYPE_UNSUPPORTED", "MESSAGE_TOO_LARGE"];

/** The reasons that an operation can end in: from who may call it, from how it is called, and from the comment on its RPC. */
export function reasonsOf(route: Route, comments: Comments, all: readonly Reason[]): Reason[] {
  const { may, unseen, changes } = accessOf(route.method);
  const reasons = new Set<Reason>([
    ...ALWAYS,
    ...(may === "public" ? [] : WITH_TOKEN),
    ...(may === "public" || unseen !== undefined ? [] : (["PERMISSION_DENIED"] as const)),
    // The organization itself may have been deleted.
    ...(may === "tenant_administrator" ? (["NOT_FOUND"] as const) : []),
    ...(changes ? (["LOCK_TIMEOUT"] as const) : []),
    ...(route.hasBody ? WITH_BODY : []),
    ...namedIn(commentOn(comments, `${route.method.parent.typeName}.${route.method.name}`), all),
  ]);
  return all.filter((reason) => reason !== "CANCELLED" && reasons.has(reason));
}

/**
 * `Errors: PERMISSION_DENIED, ABORTED (ETAG_MISMATCH)` names two reasons: a word with reasons behind it is their code, else
 * it is a reason itself.
 */
function namedIn(comment: string, all: readonly Reason[]): Reason[] {
  const [, errors = ""] = /Errors: (.*)$/s.exec(comment) ?? [];
  const isReason = (word: string): word is Reason => (all as readonly string[]).includes(word);
  return [...errors.matchAll(/\b([A-Z_]{4,})\b(?:\s\(([^)]*)\))?/g)].flatMap(
    ([, word = "", more = ""]): Reason[] => {
      const reasons = [...(more.match(/\b[A-Z_]{4,}\b/g) ?? [])].filter(isReason);
      return reasons.length > 0 || !isReason(word) ? reasons : [word];
    },
  );
}
