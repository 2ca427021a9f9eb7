/**
 * What every session of a server sets as it starts, whatever the database or the login says by default.
 *
 * Whatever we ask often has an index that it is to be answered by. Of a table that is small, or was when it was analyzed, PostgreSQL
 * would rather read the whole, and goes on with that plan while the table grows, until it is analyzed again: it is told not
 * to where there is another way. Before PostgreSQL 18 such a way has an enormous cost where there is no other, which would have
 * the statement compiled; ours are too short to be worth that, ever.
 */
export const SESSION_SETTINGS = {
  application_name: "keyturn",
  // The functions read what was committed while they waited for a lock (docs/adr/0003).
  default_transaction_isolation: "read committed",
  TimeZone: "UTC",
  enable_seqscan: "off",
  plan_cache_mode: "force_generic_plan",
  jit: "off",
} as const;
