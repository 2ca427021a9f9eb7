import { type FaultError, invalidArgument } from "../domain/fault.ts";
import type { Page, PageRequest, PageStart } from "../domain/page.ts";
import type { Facts } from "./refusal.ts";

/** A row of a page: an item, or nothing when the page is empty, beside what is said of the list itself. */
export interface ListingRow {
  readonly item: Facts | null;
  /** How many there are on all pages; null unless an offset was asked for. */
  readonly total: string | null;
}

/** How many rows to read: with a cursor one more than is shown, which tells whether there is a next page. */
export const rowsWanted = ({ size, start }: PageRequest): number =>
  start.kind === "offset" ? size : size + 1;

export const offsetOf = (start: PageStart): number => (start.kind === "offset" ? start.offset : 0);

/** The page that these rows make, with the position behind its last item when there are more. */
export function toPage<Item>(
  rows: readonly ListingRow[],
  { size, start }: PageRequest,
  toItem: (facts: Facts) => Item,
  positionOf: (facts: Facts) => readonly string[],
): Page<Item> {
  const found = rows.flatMap(({ item }) => (item === null ? [] : [item]));
  const shown = found.slice(0, size);
  const last = shown.at(-1);
  return {
    items: shown.map(toItem),
    next: found.length > size && last !== undefined ? positionOf(last) : undefined,
    total: start.kind === "offset" ? Number(rows[0]?.total ?? 0) : undefined,
  };
}

/** The token is ours, but what it was a position in is gone. */
export const positionOutlived = (): FaultError =>
  invalidArgument({ field: "page_token", description: "belongs to a list that is not there any more" });
