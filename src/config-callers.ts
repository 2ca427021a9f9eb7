import { z } from "zod";
import { certificateCallers } from "./config-certificate-callers.ts";
import { audience, issuerName, issuers, lifetime, list, MISSING, required, words } from "./config-values.ts";
import { variable } from "./config-variable.ts";

const SIGNING_KEY_SECONDS = 30 * 86_400;

/** Whose bearer tokens are accepted, and what their roles allow. */
export const callerVariables = (production: boolean) => ({
  KEYTURN_OIDC_ISSUER: variable(required(production, z.string({ error: MISSING }).pipe(issuers)), {
    meaning: "issuers of bearer tokens, as they stand in `iss`; `http:` for loopback only",
    form: "list of URLs",
    standard: "the development issuer",
  }),
  KEYTURN_OIDC_AUDIENCE: variable(required(production, z.string({ error: MISSING }).pipe(list)), {
    meaning: "audiences of bearer tokens; every audience of a token must be among them",
    form: "list",
    standard: "`keyturn`",
  }),
  KEYTURN_TENANT_CLAIM: variable(z.string().default("tenant_id"), {
    meaning: "claim with the organization; dots reach into objects",
    form: "name",
  }),
  KEYTURN_ROLES_CLAIM: variable(z.string().default("roles"), {
    meaning: "claim with the roles, an array or words in a string; dots reach into objects",
    form: "name",
  }),
  KEYTURN_ADMIN_ROLES: variable(words("owner", "admin"), {
    meaning: "roles that make an administrator of the organization",
  }),
  KEYTURN_ORGANIZATION_ADMIN_ROLES: variable(words("owner", "admin"), {
    meaning:
      "administrators with one of these hold all roles of the organization and may grant each; other administrators only what stands in their token, and they can neither issue a secret for an account that has another role nor enable it. What takes away (delete, disable, revoke) and the policy are open to every administrator",
  }),
  KEYTURN_VERIFIER_ROLES: variable(words("verifier"), {
    meaning: "roles that may verify secrets and ask about tokens of their own organization",
  }),
  KEYTURN_PLATFORM_VERIFIER_ROLES: variable(words("platform-verifier"), {
    meaning:
      "roles that may do so for every organization; no administrator can grant one to a service account",
  }),
});

/** Which services are known by their certificates. */
export const certificateVariables = () => ({
  KEYTURN_CLIENT_CERTIFICATE_CALLERS: variable(certificateCallers.optional(), {
    meaning:
      "who a service is that sends no bearer token and shows a certificate with this name (SAN), where the door has a client CA (docs/adr/0020)",
    form: 'JSON: `{"URI:spiffe://example.org/gateway":{"organization":"acme","roles":["verifier"]}}`',
    standard: "none",
  }),
});

/** What is said by the access tokens that this service issues. */
export const accessTokenVariables = (production: boolean) => ({
  KEYTURN_TOKEN_ISSUER: variable(required(production, z.string({ error: MISSING }).pipe(issuerName)), {
    meaning:
      "issuer of access tokens, as callers reach it: `https:`, `http:` for loopback only; the same on every server",
    form: "URL",
    standard: "URL of the HTTP door",
  }),
  KEYTURN_TOKEN_AUDIENCE: variable(audience.optional(), {
    meaning: "audience of access tokens",
    standard: "the first of `KEYTURN_OIDC_AUDIENCE`",
  }),
  KEYTURN_SIGNING_KEY_LIFETIME: variable(lifetime(SIGNING_KEY_SECONDS), {
    meaning: "how long a key signs access tokens before its successor is added",
  }),
});
