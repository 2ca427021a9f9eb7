import type { Terminal } from "./terminal.ts";

export async function runToken(
  terminal: Terminal,
  options: { readonly org: string; readonly sub: string; readonly roles: string; readonly ttl: number },
): Promise<number> {
  if (terminal.production)
    throw new Error("production has no development issuer: take a token from your own");
  const config = terminal.config();
  if (config.oidcIssuers.length > 0) {
    throw new Error(
      "KEYTURN_OIDC_ISSUER is set, so the development issuer is not trusted: take a token from that one",
    );
  }
  const { signDevelopmentToken } = await import("../dev/development-issuer.ts");
  const token = await signDevelopmentToken(config.dataDir, {
    organizationId: options.org,
    subject: options.sub,
    roles: options.roles.split(",").filter((role) => role !== ""),
    audience: config.oidcAudiences[0] ?? "",
    lifetimeSeconds: options.ttl,
    tenantClaim: config.tenantClaim,
    rolesClaim: config.rolesClaim,
  });
  terminal.out(`${token}\n`);
  return 0;
}
