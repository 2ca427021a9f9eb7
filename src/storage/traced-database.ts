import { inSpan } from "../domain/in-span.ts";
import type { CurrentSpan, Span, SpanAttributes } from "../domain/span.ts";
import type { Database } from "./database.ts";

/** A database whose statements have spans, each with the time that it waited for a connection. */
export function traceDatabase(db: Database, currentSpan: CurrentSpan): Database {
  return {
    ...db,
    currentSpan,
    run(signal, statement, group) {
      const span = currentSpan()?.child("postgresql", "client", POSTGRESQL);
      if (span === undefined) return db.run(signal, statement, group);
      const askedAt = performance.now();
      return inSpan(span, () =>
        db.run(
          signal,
          (sql) => {
            const query = statement(sql);
            describe(span, query, performance.now() - askedAt);
            return query;
          },
          group,
        ),
      );
    },
  };
}

const POSTGRESQL: SpanAttributes = { "db.system.name": "postgresql" };

/**
 * The span of one who asks in a statement that others share: it lasts as long as he waits. The statement itself belongs to
 * nobody's call.
 */
export const askInSpan = <T>(db: Database, name: string, ask: () => Promise<T>): Promise<T> => {
  const attributes = { ...POSTGRESQL, "db.stored_procedure.name": name, "keyturn.shared": true };
  return inSpan(db.currentSpan?.()?.child(`SELECT ${name}`, "client", attributes), ask);
};

function describe(span: Span, query: unknown, waitedMs: number): void {
  const text = sourceOf(query as Query);
  const [operation = "statement"] = /[a-z]+/i.exec(text) ?? [];
  const [, procedure] = /\bkeyturn\.([a-z_]+)\s*\(/.exec(text) ?? [];
  const [, collection] = /\b(?:from|into|update)\s+keyturn\.([a-z_]+)/i.exec(text) ?? [];
  const name = operation.toUpperCase();
  const subject = procedure ?? collection;
  span.rename(subject === undefined ? name : `${name} ${subject}`);
  span.set({
    "db.operation.name": name,
    ...(procedure === undefined ? {} : { "db.stored_procedure.name": procedure }),
    ...(procedure !== undefined || collection === undefined ? {} : { "db.collection.name": collection }),
    "keyturn.wait_ms": Math.round(waitedMs * 1000) / 1000,
  });
}

/** A statement as the driver keeps it: the text that stands in our source, and apart from it the parameters and pieces. */
interface Query {
  readonly strings?: readonly string[];
  readonly args?: readonly unknown[];
}

/** What stands in our source, without any parameter. */
function sourceOf(query: Query): string {
  const pieces = (query.args ?? []).filter(
    (arg): arg is Query => Object(arg).constructor === query.constructor,
  );
  return [...(query.strings ?? []), ...pieces.map(sourceOf)].join(" ");
}
