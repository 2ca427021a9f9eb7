/**
 * What every session of a server sets as it starts, whatever the database or the login says by default.
 *
 * Whatever we ask often has an index that it is to be answered by. Of a table that is small, or was when it was analyzed, PostgreSQL
 * would rather read the whole, and goes on with that plan while the table grows, until it is analyzed again: it is told not
 * to where there is another way, and to make a plan once, whatever the parameters are (docs/adr/0025). Where there is no other
 * way, PostgreSQL before 18 gives the forbidden one an enormous cost, which would have the statement compiled; ours are too
 * short to be worth that.
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
