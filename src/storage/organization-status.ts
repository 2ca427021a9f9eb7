import type { Database } from "./database.ts";

export type OrganizationStatus = "active" | "suspended" | "deleted";

/** A large organization takes its time to go. */
const STATUS_TIMEOUT_MS = 600_000;

/**
 * Suspends, resumes or deletes an organization, by the login of the schema's owner. Resolves to false when there is
 * none of this id, or none any more.
 */
export async function setOrganizationStatus(
  db: Database,
  id: string,
  status: OrganizationStatus,
): Promise<boolean> {
  const [row] = await db.run<{ found: boolean }>(
    AbortSignal.timeout(STATUS_TIMEOUT_MS),
    (sql) => sql`select keyturn.set_organization_status(${id}, ${status}) as found`,
  );
  return row?.found === true;
}
