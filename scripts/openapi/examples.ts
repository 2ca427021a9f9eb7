import type { Schema } from "./rules.ts";

interface OperationExamples {
  readonly requests?: Schema;
  readonly answers?: Schema;
}

/** The credential of the published reference. */
const CREDENTIAL = {
  selfLink: "/v1/iam/service-accounts/sa-pipeline-prod/credentials/cred-001",
  uid: "07cc67f4-45d6-494b-adac-09b5cbc7e2b5",
  id: "cred-001",
  serviceAccountId: "sa-pipeline-prod",
  status: "active",
  expiresAt: "2019-08-24T14:15:22Z",
  createdBy: "user-admin-001",
  createdAt: "2019-08-24T14:15:22Z",
  lastUsedAt: "2019-08-24T14:15:22Z",
  lastUsedIp: "203.0.113.42",
};
const ISSUED = { ...CREDENTIAL, clientSecret: "plt_cs_cred-001_x9y8z7w6v5u4..." };

const TOKEN_REQUESTS = {
  secret: {
    value: {
      grant_type: "client_credentials",
      client_id: "sa-pipeline-prod@acme.iam",
      client_secret: "plt_cs_cred-001_x9y8z7w6v5u4...",
    },
  },
};

const TOKEN = { requests: { token: { value: { token: "eyJhbGciOiJFUzI1NiJ9..." } } } };
const INTROSPECTED = { ...TOKEN, answers: { inactive: { value: { active: false } } } };

/** By operation, whatever its path. Bodies without any are shown empty; a test holds each against its schema. */
export const EXAMPLES: Readonly<Record<string, OperationExamples>> = {
  createCredential: {
    requests: {
      defaultLifetime: { summary: "For as long as the organization says", value: {} },
      untilThen: { summary: "Until then", value: { expiresAt: "2027-01-31T00:00:00Z" } },
    },
    answers: { created: { value: ISSUED } },
  },
  getCredential: { answers: { active: { value: CREDENTIAL } } },
  listCredentials: { answers: { page: { value: { credentials: [CREDENTIAL] } } } },
  rotateCredential: {
    requests: { overlapping: { summary: "Both hold for a day", value: { gracePeriod: "86400s" } } },
    answers: { created: { value: { ...ISSUED, replacedCredential: CREDENTIAL } } },
  },
  revokeAllCredentials: {
    requests: { dryRun: { summary: "Nothing is revoked", value: { validateOnly: true } } },
  },
  revokeAllCredentialsOfServiceAccount: {
    requests: { dryRun: { summary: "Nothing is revoked", value: { validateOnly: true } } },
  },
  createServiceAccount: {
    requests: { pipeline: { value: { id: "sa-pipeline-prod", displayName: "Production pipeline" } } },
  },
  updateServiceAccount: { requests: { disabled: { value: { status: "disabled" } } } },
  updateCredentialPolicy: {
    requests: {
      dryRun: { summary: "Whom it would hit", value: { maxLifetime: "7776000s", validateOnly: true } },
    },
  },
  reportLeakedCredential: {
    requests: { found: { value: { clientSecret: "plt_cs_cred-001_x9y8z7w6v5u4..." } } },
    answers: { always: { value: { received: true } } },
  },
  mintToken: { requests: TOKEN_REQUESTS },
  introspectToken: INTROSPECTED,
  revokeToken: TOKEN,
};
