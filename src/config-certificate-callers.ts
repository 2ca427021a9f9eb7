import { z } from "zod";
import type { CertificateCaller } from "./auth/certificate-callers.ts";
import { parseStrictJson } from "./domain/strict-json.ts";

/** As a certificate has it, and so that no comma or quote could make one name of two. */
const NAME = /^(URI:[a-z][a-z0-9+.-]*:[^\s",]+|DNS:[a-z0-9.-]+)$/;
/** As they stand in a token. */
const ORGANIZATION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const ROLE = /^[^\s,]{1,128}$/;

const callers = z.record(
  z.string().regex(NAME),
  z.strictObject({
    organization: z.string().regex(ORGANIZATION_ID),
    roles: z.array(z.string().regex(ROLE)).max(100),
  }),
);

/** Who a service is that has shown a certificate, by a name in it. */
export const certificateCallers = z
  .string()
  .transform((text, context): ReadonlyMap<string, CertificateCaller> => {
    const parsed = callers.safeParse(jsonOf(text));
    if (!parsed.success) {
      context.addIssue(
        'must be JSON such as {"URI:spiffe://example.org/gateway":{"organization":"acme","roles":["verifier"]}}, with names that begin with URI: or DNS: (in lower case)',
      );
      return z.NEVER;
    }
    return new Map(
      Object.entries(parsed.data).map(([name, { organization, roles }]) => [
        name,
        Object.freeze({ organizationId: organization, roles: Object.freeze(roles) }),
      ]),
    );
  });

function jsonOf(text: string): unknown {
  try {
    return parseStrictJson(text);
  } catch {
    return undefined;
  }
}
