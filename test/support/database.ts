import { randomBytes } from "node:crypto";
import postgres from "postgres";

/** Environment that `test/run.ts` gives. */
function urlOf(name: "OWNER" | "SERVER" | "SUPERUSER"): string {
  const url = process.env[`KEYTURN_TEST_${name}_URL`];
  if (url === undefined)
    throw new Error("no test database: run the tests by `npm test`, or `npm test -- FILE`");
  return url;
}

function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

export interface TestDatabase {
  readonly name: string;
  /** Owns the schema. */
  readonly ownerUrl: string;
  /** What a server gets: may call functions and read. */
  readonly serverUrl: string;
  /** May do anything: kill backends, look into every table. */
  readonly superuserUrl: string;
  /** As superuser, one connection. */
  readonly sql: postgres.Sql;
  drop(): Promise<void>;
}

/** A migrated database of one test file's own; `from: "empty"` for one without the schema. */
export async function givenDatabase(from: "template" | "empty" = "template"): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  const template = from === "template" ? " template keyturn_template" : "";
  await asSuperuser((sql) => sql.unsafe(`create database ${name} owner keyturn_owner${template}`));
  const superuserUrl = withDatabase(urlOf("SUPERUSER"), name);
  const sql = postgres(superuserUrl, { max: 1, onnotice: () => {} });
  return {
    name,
    ownerUrl: withDatabase(urlOf("OWNER"), name),
    serverUrl: withDatabase(urlOf("SERVER"), name),
    superuserUrl,
    sql,
    async drop() {
      await sql.end({ timeout: 1 });
      await asSuperuser((admin) => admin.unsafe(`drop database ${name} with (force)`));
    },
  };
}

async function asSuperuser(work: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(urlOf("SUPERUSER"), { max: 1, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** An organization with a service account of its own, so that tests never meet each other's rows. */
export async function givenAccount(
  sql: postgres.Sql,
  organizationId = `org-${randomBytes(5).toString("hex")}`,
): Promise<{ readonly organizationId: string; readonly id: string }> {
  const id = `sa-${randomBytes(5).toString("hex")}`;
  await sql`insert into keyturn.organizations (id) values (${organizationId}) on conflict do nothing`;
  await sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    values (${organizationId}, ${id}, 'Test account', ${organizationId}, 'test')`;
  return { organizationId, id };
}
