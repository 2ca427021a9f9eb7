/**
 * The driver remembers for ever from where each statement was sent for the first time, and V8 with that place all that the
 * functions of that call had in hand: its secret, its token. Read once it is a text, and nothing else.
 */
export function forgetOrigin(query: unknown): void {
  const { origin, args } = query as { readonly origin?: string; readonly args?: readonly unknown[] };
  if (origin === undefined) return;
  // A piece of a statement is a query as well.
  for (const arg of args ?? []) if (arg instanceof Promise) forgetOrigin(arg);
}
