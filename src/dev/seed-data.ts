import postgres from "postgres";

const ORGANIZATIONS = [
  { id: "acme", serviceAccountId: "sa-pipeline-prod", displayName: "Production pipeline" },
  { id: "globex", serviceAccountId: "sa-reporting", displayName: "Reporting" },
];

/** Puts two organizations with a service account each into a development database, where they are missing. */
export async function seedDevelopmentData(ownerUrl: string): Promise<void> {
  const sql = postgres(ownerUrl, { max: 1, onnotice: () => {} });
  try {
    for (const { id, serviceAccountId, displayName } of ORGANIZATIONS) {
      await sql`insert into keyturn.organizations (id) values (${id}) on conflict do nothing`;
      await sql`
        insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
        values (${id}, ${serviceAccountId}, ${displayName}, ${id}, 'keyturn-development')
        on conflict do nothing`;
    }
  } finally {
    await sql.end({ timeout: 5 });
  }
}
