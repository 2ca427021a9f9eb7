import { ServiceAccountStatus } from "../../gen/keyturn/v1/service_account_pb.ts";
import { denied, hiddenAccount, nobody, type RowsOf } from "./matrix-row.ts";
import { CREATED, DELETED, NO_ACCOUNT, NO_ORGANIZATION, OK, TAKEN } from "./matrix-verdicts.ts";

export const SERVICE_ACCOUNT_ROWS = {
  createServiceAccount: {
    action: "service_account.create",
    trail: "everything",
    asks: [
      // An id is taken within an organization only, so that nobody learns of another's.
      {
        request: ({ account }) => ({ id: account, displayName: "New" }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: denied,
          platformVerifier: denied,
          administrator: { own: TAKEN, foreign: CREATED, missing: CREATED },
          anotherAdministrator: { own: TAKEN, foreign: CREATED, missing: CREATED },
          deletedAdministrator: {
            own: NO_ORGANIZATION,
            foreign: NO_ORGANIZATION,
            missing: NO_ORGANIZATION,
          },
        },
      },
    ],
  },
  listServiceAccounts: {
    action: "service_account.list",
    trail: "denials",
    asks: [
      {
        request: () => ({ status: ServiceAccountStatus.ACTIVE }),
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
  getServiceAccount: {
    action: "service_account.get",
    trail: "denials",
    asks: [
      {
        request: ({ account }) => ({ id: account }),
        answers: {
          anonymous: nobody,
          member: hiddenAccount,
          verifier: hiddenAccount,
          platformVerifier: hiddenAccount,
          administrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          deletedAdministrator: { own: NO_ACCOUNT, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
        },
      },
    ],
  },
  updateServiceAccount: {
    action: "service_account.update",
    trail: "everything",
    asks: [
      {
        request: ({ account }) => ({ id: account, displayName: "Renamed" }),
        answers: {
          anonymous: nobody,
          member: hiddenAccount,
          verifier: hiddenAccount,
          platformVerifier: hiddenAccount,
          administrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: { own: OK, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          deletedAdministrator: { own: NO_ACCOUNT, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
        },
      },
    ],
  },
  deleteServiceAccount: {
    action: "service_account.delete",
    trail: "everything",
    asks: [
      {
        request: ({ account }) => ({ id: account }),
        answers: {
          anonymous: nobody,
          member: hiddenAccount,
          verifier: hiddenAccount,
          platformVerifier: hiddenAccount,
          administrator: { own: DELETED, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          anotherAdministrator: { own: DELETED, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
          deletedAdministrator: { own: NO_ACCOUNT, foreign: NO_ACCOUNT, missing: NO_ACCOUNT },
        },
      },
    ],
  },
} as const satisfies RowsOf<"ServiceAccountService">;
