import type { Fault } from "../../src/domain/fault.ts";

const NOW = new Date("2026-01-02T03:04:05.678Z");
const HOSTILE = "a:b,c/d?e#f@g&h=i+j$k;l%41\r\n\u00e9\u{1f511}";

const unavailable = (part: Extract<Fault, { kind: "unavailable" }>["part"], inDoubt: boolean): Fault => ({
  kind: "unavailable",
  part,
  retryDelayMs: 1_500,
  inDoubt,
});

/** Every fault with every shape that changes its words, for references and tests. It does not compile with one missing. */
export const EVERY_FAULT: { readonly [K in Fault["kind"]]: readonly Fault[] } = {
  unauthenticated: [{ kind: "unauthenticated", refusal: "missing" }],
  permission_denied: [
    { kind: "permission_denied", needed: "tenant_administrator", unseen: undefined },
    { kind: "permission_denied", needed: "verifier", unseen: undefined },
    { kind: "permission_denied", needed: "verifier_or_administrator", unseen: undefined },
    { kind: "permission_denied", needed: "tenant_administrator", unseen: "ServiceAccount" },
    { kind: "permission_denied", needed: "tenant_administrator", unseen: "Credential" },
    { kind: "permission_denied", needed: "tenant_administrator", unseen: "Organization" },
  ],
  invalid_argument: [
    { kind: "invalid_argument", violations: [] },
    { kind: "invalid_argument", violations: [{ field: "expires_at", description: "must be a timestamp" }] },
    {
      kind: "invalid_argument",
      violations: [{ field: HOSTILE, description: "is not a field of this request" }],
    },
    {
      kind: "invalid_argument",
      violations: [{ field: "id", description: "does not match `^[a-z]([-a-z0-9]*)?$`" }],
    },
  ],
  not_found: [
    { kind: "not_found", resourceType: "ServiceAccount", id: "sa-one" },
    { kind: "not_found", resourceType: "Credential", id: "cred-one" },
    { kind: "not_found", resourceType: "Organization", id: "Org_1.one" },
  ],
  already_exists: [{ kind: "already_exists", resourceType: "ServiceAccount", id: "sa-one" }],
  role_not_grantable: [{ kind: "role_not_grantable", roles: ["owner", HOSTILE] }],
  etag_mismatch: [{ kind: "etag_mismatch" }],
  request_id_reused: [{ kind: "request_id_reused" }],
  credential_creation_denied: [{ kind: "credential_creation_denied" }],
  credential_not_active: ["expired", "revoked"].map((status) => ({
    kind: "credential_not_active",
    status,
  })),
  grace_period_above_maximum: [{ kind: "grace_period_above_maximum", latest: NOW }],
  not_before_after_expiry: [{ kind: "not_before_after_expiry", expiresAt: NOW }],
  policy_out_of_bounds: [
    { kind: "policy_out_of_bounds", field: "min_lifetime", minimum: 60, maximum: undefined },
    { kind: "policy_out_of_bounds", field: "max_active_credentials", minimum: undefined, maximum: 5 },
  ],
  expiry_in_past: [{ kind: "expiry_in_past", bound: NOW, boundSeconds: 0 }],
  expiry_below_minimum: [{ kind: "expiry_below_minimum", bound: NOW, boundSeconds: 60 }],
  expiry_above_maximum: [{ kind: "expiry_above_maximum", bound: NOW, boundSeconds: 31_536_000 }],
  credential_limit_reached: [
    {
      kind: "credential_limit_reached",
      serviceAccountId: "sa-one",
      limit: 5,
      activeCount: 5,
      safestToDelete: "cred-one",
    },
  ],
  lock_timeout: [{ kind: "lock_timeout" }],
  unavailable: [
    unavailable("database", false),
    unavailable("database", true),
    unavailable("database_queue", false),
    unavailable("hash_queue", false),
    unavailable("key_set", false),
    unavailable("signing_key", false),
    unavailable("draining", false),
  ],
  invalid_request: [{ kind: "invalid_request", description: "grant_type is missing" }],
  unsupported_grant_type: [{ kind: "unsupported_grant_type" }],
  invalid_scope: [{ kind: "invalid_scope" }],
  invalid_client: [{ kind: "invalid_client" }],
  too_many_attempts: [{ kind: "too_many_attempts", retryDelayMs: 9_500 }],
  route_unknown: [{ kind: "route_unknown" }],
  method_not_allowed: [{ kind: "method_not_allowed", allowedMethods: ["GET", "POST"] }],
  content_type_unsupported: [{ kind: "content_type_unsupported" }],
  message_too_large: [{ kind: "message_too_large", limitBytes: 65_536 }],
  deadline_exceeded: [{ kind: "deadline_exceeded" }],
  cancelled: [{ kind: "cancelled" }],
  internal: [{ kind: "internal" }],
};
