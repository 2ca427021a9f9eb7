import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { ListAuditEventsResponseSchema } from "../../gen/keyturn/v1/audit_service_pb.ts";
import { CredentialSchema, CredentialStatus } from "../../gen/keyturn/v1/credential_pb.ts";
import { CredentialCreation } from "../../gen/keyturn/v1/credential_policy_pb.ts";
import {
  PolicyRule,
  UpdateCredentialPolicyResponseSchema,
} from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import {
  CreateCredentialResponseSchema,
  ListCredentialsResponseSchema,
  RotateCredentialResponseSchema,
} from "../../gen/keyturn/v1/credential_service_pb.ts";
import {
  ServiceAccountSchema,
  ServiceAccountScope,
  ServiceAccountStatus,
} from "../../gen/keyturn/v1/service_account_pb.ts";
import {
  CreateServiceAccountRequestSchema,
  ListServiceAccountsResponseSchema,
} from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { toRestJson } from "../../src/door/rest-json.ts";
import { binding, givenMethod } from "../support/given-service.ts";

const json = <Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>) =>
  toRestJson(desc, create(desc, init));

const at = { seconds: 1_784_280_045n, nanos: 678_000_000 };
const AT = "2026-07-17T09:20:45.678Z";

test("the answer of a create has exactly the nine fields of the seed, in its order", () => {
  const created = json(CreateCredentialResponseSchema, {
    clientSecret: "secret",
    createdAt: at,
    createdBy: "user-admin-001",
    expiresAt: at,
    status: CredentialStatus.ACTIVE,
    serviceAccountId: "sa-one",
    id: "cred-one",
    uid: "uid",
    selfLink: "/v1/iam/service-accounts/sa-one/credentials/cred-one",
  });
  assert.equal(
    JSON.stringify(created),
    JSON.stringify({
      selfLink: "/v1/iam/service-accounts/sa-one/credentials/cred-one",
      uid: "uid",
      id: "cred-one",
      serviceAccountId: "sa-one",
      status: "active",
      expiresAt: AT,
      createdBy: "user-admin-001",
      createdAt: AT,
      clientSecret: "secret",
    }),
  );
});

test("enum values are words without their prefix wherever they stand", () => {
  assert.deepEqual(
    json(RotateCredentialResponseSchema, {
      status: CredentialStatus.PENDING,
      replacedCredential: { status: CredentialStatus.ACTIVE, labels: { status: "CREDENTIAL_STATUS_ACTIVE" } },
    }),
    {
      status: "pending",
      replacedCredential: { status: "active", labels: { status: "CREDENTIAL_STATUS_ACTIVE" } },
    },
  );
  assert.deepEqual(
    json(ListCredentialsResponseSchema, {
      credentials: [{ status: CredentialStatus.EXPIRED }, { status: CredentialStatus.REVOKED }],
    }),
    { credentials: [{ status: "expired" }, { status: "revoked" }] },
  );
  assert.deepEqual(
    json(UpdateCredentialPolicyResponseSchema, {
      creation: CredentialCreation.DENIED,
      violations: [{ credentialId: "c", rule: PolicyRule.MAX_ACTIVE_CREDENTIALS }],
    }),
    { creation: "denied", violations: [{ credentialId: "c", rule: "max_active_credentials" }] },
  );
  assert.deepEqual(
    json(ServiceAccountSchema, {
      scope: ServiceAccountScope.PROJECT,
      status: ServiceAccountStatus.DISABLED,
      displayName: "SERVICE_ACCOUNT_STATUS_ACTIVE",
    }),
    { displayName: "SERVICE_ACCOUNT_STATUS_ACTIVE", scope: "project", roles: [], status: "disabled" },
  );
});

test("a value that this release does not know stays a number", () => {
  assert.deepEqual(json(CredentialSchema, { status: 99 as CredentialStatus }), { status: 99 });
});

const { input: thing } = givenMethod(binding("get", "/things"));

test("lists, maps and nested messages of enums are words too, and other packages' enums are proto JSON", () => {
  const message = create(thing, {
    colors: [1, 2],
    behavior: 3,
    shades: { ["__proto__"]: 2, sky: 1 },
    parts: [{ color: 1 }, { color: 2, tags: ["x"] }],
  } as MessageInitShape<typeof thing>);
  const { colors, behavior, shades, parts } = toRestJson(thing, message);
  assert.deepEqual(colors, ["red", "dark_blue"]);
  assert.equal(behavior, "OUTPUT_ONLY");
  assert.equal(JSON.stringify(shades), '{"__proto__":"dark_blue","sky":"red"}');
  assert.deepEqual(parts, [
    { color: "red", tags: [] },
    { color: "dark_blue", tags: ["x"] },
  ]);
});

const EMPTY_LISTS: readonly (readonly [desc: DescMessage, name: string])[] = [
  [ListCredentialsResponseSchema, "credentials"],
  [ListServiceAccountsResponseSchema, "serviceAccounts"],
  [ListAuditEventsResponseSchema, "auditEvents"],
  [ServiceAccountSchema, "roles"],
  [UpdateCredentialPolicyResponseSchema, "violations"],
];

for (const [desc, name] of EMPTY_LISTS) {
  test(`an empty ${desc.name} has its ${name} as [], and nothing else`, () => {
    assert.deepEqual(json(desc, {}), { [name]: [] });
  });
}

test("a list in a nested message is there too", () => {
  assert.deepEqual(json(ListServiceAccountsResponseSchema, { serviceAccounts: [{ id: "sa-one" }] }), {
    serviceAccounts: [{ id: "sa-one", roles: [] }],
  });
});

test("an OPTIONAL list without items, an empty map, and scalars without presence are left out", () => {
  assert.deepEqual(json(CreateServiceAccountRequestSchema, {}), {});
  assert.deepEqual(json(CreateCredentialResponseSchema, {}), {});
});

test("a field with presence is there with its default value", () => {
  assert.deepEqual(json(ListCredentialsResponseSchema, { total: 0 }), { credentials: [], total: 0 });
  assert.deepEqual(json(ServiceAccountSchema, { activeCredentialCount: 0, description: "" }), {
    description: "",
    roles: [],
    activeCredentialCount: 0,
  });
});

test("an int64 is a string", () => {
  const { auditEvents } = json(ListAuditEventsResponseSchema, {
    auditEvents: [{ sequence: 9_007_199_254_740_993n, details: { active: "1" }, occurredAt: at }],
  });
  assert.deepEqual(auditEvents, [{ occurredAt: AT, details: { active: "1" }, sequence: "9007199254740993" }]);
});
