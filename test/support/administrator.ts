import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type RestAnswer, rest } from "./clients.ts";
import { detailNamed, fromRest, violatedFields } from "./doors.ts";
import type { TestKeyturn } from "./keyturn.ts";

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Somebody with a token of an organization, at the REST edge. Paths begin behind the published prefix. */
export interface Administrator {
  readonly organizationId: string;
  readonly token: string;
  /** For doors that take the headers of a call. */
  readonly headers: Readonly<Record<string, string>>;
  get(path: string, query?: Query): Promise<RestAnswer>;
  post(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<RestAnswer>;
  patch(path: string, body: unknown): Promise<RestAnswer>;
  delete(path: string, query?: Query): Promise<RestAnswer>;
}

const PREFIX = "/v1/regions/global/iam";

export interface AdministratorOptions {
  /** Default: an organization that nobody has heard of yet. */
  readonly organizationId?: string;
  readonly claims?: Readonly<Record<string, unknown>>;
}

export async function givenAdministrator(
  h: Pick<TestKeyturn, "httpUrl" | "token">,
  { organizationId = `org-${randomBytes(5).toString("hex")}`, claims = {} }: AdministratorOptions = {},
): Promise<Administrator> {
  const token = await h.token(organizationId, claims);
  const send = (method: string, path: string, body: unknown, more = {}) =>
    rest(h, PREFIX + path, {
      method,
      token,
      headers: { "content-type": "application/json", ...more },
      body: JSON.stringify(body),
    });
  return {
    organizationId,
    token,
    headers: { authorization: `Bearer ${token}` },
    get: (path, query) => rest(h, PREFIX + path + search(query), { token }),
    post: (path, body = {}, headers) => send("POST", path, body, headers),
    patch: (path, body) => send("PATCH", path, body),
    delete: (path, query) => rest(h, PREFIX + path + search(query), { method: "DELETE", token }),
  };
}

function search(query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}

export interface Refusal {
  readonly reason: string;
  /** Names of the fields that a BadRequest complains of, if it does. */
  readonly fields?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
  /** What a ResourceInfo names, if there is one. */
  readonly resource?: string;
}

/** Asserts that a call was refused, and why. */
export function assertRefused(res: RestAnswer, httpStatus: number, refusal: Refusal): void {
  const answer = fromRest(res.status, res.headers, res.body);
  const { fields, metadata, resource } = refusal;
  assert.equal(res.status, httpStatus, res.text);
  assert.equal(answer.reason, refusal.reason);
  if (fields !== undefined) assert.deepEqual(violatedFields(answer), fields);
  if (metadata !== undefined) assert.deepEqual(answer.metadata, metadata);
  if (resource !== undefined) {
    const { resourceType, resourceName } = detailNamed(answer, "ResourceInfo") ?? {};
    assert.equal(`${resourceType}/${resourceName}`, resource);
  }
}

/** The body of a call that has succeeded. */
export function bodyOf(res: RestAnswer, httpStatus = 200): RestAnswer["body"] {
  assert.equal(res.status, httpStatus, res.text);
  return res.body;
}
