import { givenAccounts } from "../support/creates.ts";
import { createByFunction, createByStatements, pgbench, purge, withoutPgbench } from "../support/pgbench.ts";
import type { Target } from "../support/target.ts";
import { RATE, ratioRow } from "../support/turns.ts";

const CALLERS = 32;
/** So many creates come before the account is emptied. */
const CREATES = 9;

/** Everybody wants a credential of one account: what counts is how long its lock is held. */
export const target: Target = {
  number: 6,
  title: "creates for one account, 32 callers, hash stubbed",
  quick: false,
  skip: withoutPgbench,
  async run(bench) {
    const database = await bench.database();
    await givenAccounts(database, "ours", 1);
    await givenAccounts(database, "plain", 1);
    await database.sql`create sequence bench_audit`;
    const by = (name: string, organizationId: string, text: string) =>
      pgbench(bench, database, name, {
        scripts: [
          { text, weight: CREATES },
          { text: purge(organizationId), weight: 1 },
        ],
        clients: CALLERS,
      });
    const { ours, plain } = await bench.takeTurns({
      ours: by("the function", "ours", createByFunction("ours", 1)),
      plain: by("plain statements", "plain", createByStatements("plain", 1)),
    });
    return [
      ratioRow(RATE, [ours, plain], {
        what: "create_credential for one account, by pgbench",
        against: "the plain statements, by pgbench",
        bound: { atLeast: 1.5 },
      }),
    ];
  },
};
