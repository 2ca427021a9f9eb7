import { type Administrator, bodyOf, type Query } from "../support/administrator.ts";

/** A list that is read page by page: where it is, and what its items stand under. */
export interface PagedList {
  readonly path: string;
  readonly key: "credentials" | "serviceAccounts" | "auditEvents";
}

// biome-ignore lint/suspicious/noExplicitAny: each list has items of its own
export type Item = any;

export const credentialsOf = (serviceAccountId: string): PagedList => ({
  path: `/service-accounts/${serviceAccountId}/credentials`,
  key: "credentials",
});
export const SERVICE_ACCOUNTS: PagedList = { path: "/service-accounts", key: "serviceAccounts" };
export const AUDIT_EVENTS: PagedList = { path: "/audit-events", key: "auditEvents" };

/** Every page of a list, one after the other. */
export async function* pagesOf(
  admin: Administrator,
  { path, key }: PagedList,
  query: Query = {},
): AsyncGenerator<Item[]> {
  let pageToken: string | undefined;
  do {
    const page = bodyOf(await admin.get(path, { ...query, pageToken }));
    yield page[key];
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}

/** Every item of a list, in the order of the pages. */
export async function walk(admin: Administrator, list: PagedList, query: Query = {}): Promise<Item[]> {
  const items: Item[] = [];
  for await (const page of pagesOf(admin, list, query)) items.push(...page);
  return items;
}

export const idsOf = (items: readonly Item[]): string[] => items.map(({ id }) => id);
