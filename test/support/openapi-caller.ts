import { type RestAnswer, rest } from "./clients.ts";
import type { TestKeyturn } from "./keyturn.ts";
import type { Operation } from "./openapi.ts";

/** What goes into the places that an operation documents. */
export interface Sent {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: unknown;
  /** As a form instead of JSON. */
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly token?: string | undefined;
}

/** Calls an operation as its document says, and in no other way. */
export function callAsDocumented(
  h: Pick<TestKeyturn, "httpUrl">,
  { path, httpMethod, body }: Operation,
  sent: Sent,
): Promise<RestAnswer> {
  const target = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(sent.path?.[name] ?? ""));
  const query = new URLSearchParams(
    Object.entries(sent.query ?? {}).map(([name, value]): [string, string] => [name, `${value}`]),
  );
  const contentType = sent.form === undefined ? "application/json" : "application/x-www-form-urlencoded";
  const text =
    sent.form === undefined ? JSON.stringify(sent.body ?? {}) : String(new URLSearchParams(sent.form));
  if (body !== undefined && !(contentType in body.content)) throw new Error(`no ${contentType} at ${path}`);
  return rest(h, query.size === 0 ? target : `${target}?${query}`, {
    method: httpMethod,
    headers: { ...(body === undefined ? {} : { "content-type": contentType }), ...sent.headers },
    ...(body === undefined ? {} : { body: text }),
    ...(sent.token === undefined ? {} : { token: sent.token }),
  });
}
