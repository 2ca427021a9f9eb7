import { givenAccounts } from "../support/creates.ts";
import { createByFunction, createByStatements, pgbench, withoutPgbench } from "../support/pgbench.ts";
import type { Target } from "../support/target.ts";
import { RATE, ratioRow } from "../support/turns.ts";

const ACCOUNTS = 50_000;
const CLIENTS = 8;

/** A create in the database alone: one function against the statements that it stands for. */
export const target: Target = {
  number: 5,
  title: "create transactions in storage, 8 clients, hash stubbed",
  quick: true,
  skip: withoutPgbench,
  async run(bench) {
    const database = await bench.database();
    await givenAccounts(database, "ours", ACCOUNTS);
    await givenAccounts(database, "plain", ACCOUNTS);
    await database.sql`create sequence bench_audit`;
    const by = (name: string, text: string) =>
      pgbench(bench, database, name, { scripts: [{ text, weight: 1 }], clients: CLIENTS });
    const { ours, plain } = await bench.takeTurns({
      ours: by("the function", createByFunction("ours", ACCOUNTS)),
      plain: by("plain statements", createByStatements("plain", ACCOUNTS)),
    });
    return [
      ratioRow(RATE, [ours, plain], {
        what: "create_credential, by pgbench",
        against: "the plain statements, by pgbench",
        bound: { atLeast: 1.2, quick: 0.1 },
      }),
    ];
  },
};
