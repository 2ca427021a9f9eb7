/** Where a page begins: after a position, at an offset, or at the start. */
export type PageStart =
  | { readonly kind: "start" }
  /** The position that came with the page before. */
  | { readonly kind: "after"; readonly position: readonly string[] }
  /** Skips so many and counts them all. */
  | { readonly kind: "offset"; readonly offset: number };

export interface PageRequest {
  readonly size: number;
  readonly start: PageStart;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; absent on the last one, and with an offset. */
  readonly next: readonly string[] | undefined;
  /** Items on all pages together; with an offset only. */
  readonly total: number | undefined;
}
