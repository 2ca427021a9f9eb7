import { CredentialStatus } from "../../gen/keyturn/v1/credential_pb.ts";
import { denied, hiddenCredential, nobody, type RowsOf } from "./matrix-row.ts";
import { CREATED, DELETED, NO_ACCOUNT, NO_CREDENTIAL, NO_ORGANIZATION, OK } from "./matrix-verdicts.ts";

export const CREDENTIAL_ROWS = {
  createCredential: {
    action: "credential.create",
    trail: "everything",
    asks: [
      {
        request: ({ account }) => ({ serviceAccountId: account }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: CREATED, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: { own: CREATED, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          deletedAdministrator: { own: NO_ACCOUNT, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
        },
      },
    ],
  },
  listCredentials: {
    action: "credential.list",
    trail: "denials",
    asks: [
      {
        request: ({ account }) => ({ serviceAccountId: account, status: CredentialStatus.ACTIVE }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          deletedAdministrator: { own: NO_ACCOUNT, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
        },
      },
    ],
  },
  getCredential: {
    action: "credential.get",
    trail: "denials",
    asks: [
      {
        request: ({ account, credential }) => ({ serviceAccountId: account, id: credential }),
        answers: {
          anonymous: nobody,
          member: hiddenCredential,
          verifier: hiddenCredential,
          platformVerifier: hiddenCredential,
          administrator: { own: OK, others: NO_CREDENTIAL, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: {
            own: OK,
            others: NO_CREDENTIAL,
            foreign: NO_ACCOUNT,
            missing: NO_ACCOUNT,
          },
          deletedAdministrator: {
            own: NO_ACCOUNT,
            others: NO_ACCOUNT,
            foreign: NO_ACCOUNT,
            missing: NO_ACCOUNT,
          },
        },
      },
    ],
  },
  deleteCredential: {
    action: "credential.delete",
    trail: "everything",
    asks: [
      {
        request: ({ account, credential }) => ({ serviceAccountId: account, id: credential }),
        answers: {
          anonymous: nobody,
          member: hiddenCredential,
          verifier: hiddenCredential,
          platformVerifier: hiddenCredential,
          administrator: { own: DELETED, others: NO_CREDENTIAL, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: {
            own: DELETED,
            others: NO_CREDENTIAL,
            foreign: NO_ACCOUNT,
            missing: NO_ACCOUNT,
          },
          deletedAdministrator: {
            own: NO_ACCOUNT,
            others: NO_ACCOUNT,
            foreign: NO_ACCOUNT,
            missing: NO_ACCOUNT,
          },
        },
      },
    ],
  },
  rotateCredential: {
    action: "credential.rotate",
    trail: "everything",
    asks: [
      {
        request: ({ account, credential }) => ({ serviceAccountId: account, id: credential }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: CREATED, others: NO_CREDENTIAL, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: {
            own: CREATED,
            others: NO_CREDENTIAL,
            foreign: NO_ACCOUNT,
            missing: NO_ACCOUNT,
          },
          deletedAdministrator: {
            own: NO_ACCOUNT,
            others: NO_ACCOUNT,
            foreign: NO_ACCOUNT,
            missing: NO_ACCOUNT,
          },
        },
      },
    ],
  },
  listRefusedUses: {
    action: "credential.list_refused_uses",
    trail: "denials",
    asks: [
      {
        request: ({ account }) => ({ serviceAccountId: account }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          deletedAdministrator: { own: NO_ACCOUNT, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
        },
      },
    ],
  },
  revokeAllCredentials: {
    action: "credential.revoke_all",
    trail: "everything",
    asks: [
      {
        request: ({ account }) => ({ serviceAccountId: account }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          deletedAdministrator: { own: NO_ACCOUNT, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
        },
      },
      {
        request: ({ account }) => ({ exemptServiceAccountIds: [account] }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
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
} as const satisfies RowsOf<"CredentialService">;
