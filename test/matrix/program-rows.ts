import { denied, nobody, type RowsOf } from "./matrix-row.ts";
import { DENIED, INVALID_CLIENT, OK } from "./matrix-verdicts.ts";

/** What is asked about is never anything that there is: here it counts who may ask. */
const NONSENSE = "nonsense";

const invalid = { own: INVALID_CLIENT };
const allowed = { own: OK };

export const VERIFICATION_ROWS = {
  verifyCredential: {
    action: "credential.verify",
    trail: "denials",
    asks: [
      {
        request: () => ({ clientSecret: NONSENSE }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: { own: OK },
          platformVerifier: { own: OK },
          administrator: { own: DENIED },
          anotherAdministrator: { own: DENIED },
          deletedAdministrator: { own: DENIED },
        },
      },
    ],
  },
  reportLeakedCredential: {
    action: "credential.report_leak",
    trail: "denials",
    asks: [
      {
        request: () => ({ clientSecret: NONSENSE }),
        answers: {
          anonymous: allowed,
          member: allowed,
          verifier: allowed,
          platformVerifier: allowed,
          administrator: allowed,
          anotherAdministrator: allowed,
          deletedAdministrator: allowed,
        },
      },
    ],
  },
} as const satisfies RowsOf<"VerificationService">;

export const TOKEN_ROWS = {
  mintToken: {
    action: "token.mint",
    trail: "denials",
    asks: [
      {
        request: () => ({ grantType: "client_credentials", clientId: NONSENSE, clientSecret: NONSENSE }),
        answers: {
          anonymous: invalid,
          member: invalid,
          verifier: invalid,
          platformVerifier: invalid,
          administrator: invalid,
          anotherAdministrator: invalid,
          deletedAdministrator: invalid,
        },
      },
    ],
  },
  introspectToken: {
    action: "token.introspect",
    trail: "denials",
    asks: [
      {
        request: () => ({ token: NONSENSE }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: allowed,
          platformVerifier: allowed,
          administrator: allowed,
          anotherAdministrator: allowed,
          deletedAdministrator: allowed,
        },
      },
    ],
  },
  revokeToken: {
    action: "token.revoke",
    trail: "refusals",
    asks: [
      {
        request: () => ({ token: NONSENSE }),
        answers: {
          anonymous: nobody,
          member: denied,
          verifier: allowed,
          platformVerifier: allowed,
          administrator: allowed,
          anotherAdministrator: allowed,
          deletedAdministrator: allowed,
        },
      },
    ],
  },
} as const satisfies RowsOf<"TokenService">;
