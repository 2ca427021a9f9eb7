import type { PageTokens } from "../auth/page-token.ts";
import { invalidArgument } from "../domain/fault.ts";
import type { Page, PageRequest } from "../domain/page.ts";

/** How a caller asks for a page: by the token of the page before, by an offset, or for the first one. */
export interface PageAsked {
  /** 1–500. Absent: 50. */
  readonly pageSize: number | undefined;
  readonly pageToken: string | undefined;
  readonly offset: number | undefined;
}

export interface PageShown<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken: string | undefined;
  readonly total: number | undefined;
}

const PAGE_SIZE_DEFAULT = 50;

/**
 * One page of a list. Its token is bound to the organization, to what is listed and to the filter, so that it opens for
 * the same request only.
 * @param binding what makes the list this one: the RPC, the organization, the parent, the filter.
 * @throws FaultError invalid_argument for a token that is not this list's, and for a token beside an offset.
 */
export async function shownPage<Item>(
  tokens: PageTokens,
  binding: readonly unknown[],
  asked: PageAsked,
  list: (page: PageRequest) => Promise<Page<Item>>,
): Promise<PageShown<Item>> {
  const bound = binding.map((part) => JSON.stringify(part) ?? "");
  const { items, next, total } = await list(pageRequest(tokens, bound, asked));
  return { items, nextPageToken: next === undefined ? undefined : tokens.seal(bound, next), total };
}

function pageRequest(tokens: PageTokens, bound: readonly string[], asked: PageAsked): PageRequest {
  const { pageSize: size = PAGE_SIZE_DEFAULT, pageToken, offset } = asked;
  if (pageToken !== undefined && offset !== undefined)
    throw invalidArgument({ field: "offset", description: "cannot be sent beside page_token" });
  if (offset !== undefined) return { size, start: { kind: "offset", offset } };
  if (pageToken === undefined) return { size, start: { kind: "start" } };
  const position = tokens.open(bound, pageToken);
  if (position === undefined)
    throw invalidArgument({
      field: "page_token",
      description: "is not the token of a page of this very list",
    });
  return { size, start: { kind: "after", position } };
}
