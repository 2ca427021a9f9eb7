import { denied, nobody, type RowsOf } from "./matrix-row.ts";
import { NO_ORGANIZATION, OK } from "./matrix-verdicts.ts";

export const CREDENTIAL_POLICY_ROWS = {
  getCredentialPolicy: {
    action: "credential_policy.get",
    trail: "denials",
    asks: [
      {
        request: () => ({}),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: OK },
          anotherAdministrator: { own: OK },
          deletedAdministrator: { own: NO_ORGANIZATION },
        },
      },
    ],
  },
  updateCredentialPolicy: {
    action: "credential_policy.update",
    trail: "everything",
    asks: [
      {
        request: () => ({ maxActiveCredentials: 3 }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: OK },
          anotherAdministrator: { own: OK },
          deletedAdministrator: { own: NO_ORGANIZATION },
        },
      },
    ],
  },
} as const satisfies RowsOf<"CredentialPolicyService">;

export const AUDIT_ROWS = {
  listAuditEvents: {
    action: "audit_event.list",
    trail: "denials",
    asks: [
      {
        request: ({ account }) => ({ serviceAccountId: account }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: OK, foreign: OK, missing: OK },
          anotherAdministrator: { own: OK, foreign: OK, missing: OK },
          deletedAdministrator: {
            own: NO_ORGANIZATION,
            foreign: NO_ORGANIZATION,
            missing: NO_ORGANIZATION,
          },
        },
      },
      {
        request: () => ({}),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: OK },
          anotherAdministrator: { own: OK },
          deletedAdministrator: { own: NO_ORGANIZATION },
        },
      },
    ],
  },
} as const satisfies RowsOf<"AuditService">;
