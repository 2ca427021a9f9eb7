import type { PageAsked, PageShown } from "../../service/paging.ts";

/** The paging fields that every list request has. */
interface PagedRequest {
  readonly pageSize?: number | undefined;
  readonly pageToken: string;
  readonly offset?: number | undefined;
}

export const pageAsked = ({ pageSize, pageToken, offset }: PagedRequest): PageAsked => ({
  pageSize,
  pageToken: pageToken === "" ? undefined : pageToken,
  offset,
});

/** The paging fields that every list answer has. */
export const pageFields = ({ nextPageToken, total }: PageShown<unknown>) => ({
  nextPageToken: nextPageToken ?? "",
  ...(total === undefined ? {} : { total }),
});
