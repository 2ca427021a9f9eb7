import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import { type DescField, type DescFile, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { CredentialSchema } from "../../gen/keyturn/v1/credential_pb.ts";
import {
  CreateCredentialResponseSchema,
  RotateCredentialResponseSchema,
} from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ErrorReasonSchema } from "../../gen/keyturn/v1/error_reason_pb.ts";
import {
  IntrospectTokenRequestSchema,
  MintTokenRequestSchema,
  MintTokenResponseSchema,
  RevokeTokenRequestSchema,
} from "../../gen/keyturn/v1/token_service_pb.ts";
import {
  ReportLeakedCredentialRequestSchema,
  VerifyCredentialRequestSchema,
} from "../../gen/keyturn/v1/verification_service_pb.ts";
import { ACCESS } from "../../src/rpc/access.ts";
import { SERVICES } from "../../src/rpc/services.ts";

const modules = await Promise.all(globSync("gen/keyturn/**/*_pb.ts").map((file) => import(`../../${file}`)));
const files = modules.flatMap((module) =>
  Object.values(module as Record<string, { kind?: string }>).filter((value) => value?.kind === "file"),
) as DescFile[];
const messages: DescMessage[] = files.flatMap((file) => file.messages);

/** The only messages that may ever carry a secret out. */
const SECRET_BEARERS = [CreateCredentialResponseSchema, RotateCredentialResponseSchema];
/** The only ones that carry one in: those of its owner, of whoever it was presented to, and of whoever has found it. */
const SECRET_TAKERS = [
  MintTokenRequestSchema,
  ReportLeakedCredentialRequestSchema,
  VerifyCredentialRequestSchema,
];
/** The only ones with an access token. */
const TOKEN_BEARERS = [IntrospectTokenRequestSchema, MintTokenResponseSchema, RevokeTokenRequestSchema];

/** RPCs that are not at the REST edge, on purpose. */
const NOT_OVER_REST = ["VerifyCredential"];

test("the test sees the messages of every proto", () => {
  assert.ok(files.length >= 3);
  assert.ok(messages.length >= 3);
});

for (const { what, isIt, bearers } of [
  { what: "a secret", isIt: isSecret, bearers: [...SECRET_BEARERS, ...SECRET_TAKERS] },
  { what: "a token", isIt: isToken, bearers: TOKEN_BEARERS },
]) {
  test(`only the messages that must carry ${what} do, and say that printers must not show it`, () => {
    const found = messages.filter((message) => message.fields.some(isIt));
    assert.deepEqual(namesOf(found), namesOf(bearers));
    for (const field of found.flatMap((message) => message.fields).filter(isIt)) {
      assert.equal(field.proto.options?.debugRedact, true, String(field));
    }
  });
}

test("of all answers only those of a create and a rotate carry a secret", () => {
  const answers = Object.values(SERVICES).flatMap(({ methods }) => methods.map(({ output }) => output));
  assert.deepEqual(namesOf(answers.filter(holdsSecret)), namesOf(SECRET_BEARERS));
});

test("the read model reserves the secret's name and number", () => {
  for (const { fields } of SECRET_BEARERS) {
    const secret = fields.find(isSecret);
    assert.ok(secret !== undefined && isReserved(secret));
  }
});

for (const { message, extra } of [
  { message: CreateCredentialResponseSchema, extra: ["client_secret"] },
  { message: RotateCredentialResponseSchema, extra: ["client_secret", "replaced_credential"] },
]) {
  test(`${message.name} repeats the credential under the same numbers, names and types, and adds ${extra.join(" and ")}`, () => {
    const isExtra = (field: DescField) => extra.includes(field.name);
    const shape = (fields: readonly DescField[]) =>
      fields.map((f) => [f.number, f.name, f.jsonName, f.fieldKind, typeOf(f)]);
    assert.deepEqual(
      shape(message.fields.filter((field) => !isExtra(field))),
      shape(CredentialSchema.fields),
    );
    assert.deepEqual(
      message.fields.filter(isExtra).map(({ name }) => name),
      extra,
    );
  });
}

test("every field says how it behaves", () => {
  const silent = messages
    .flatMap((m) => m.fields)
    .filter((field) => getOption(fieldOf(field), field_behavior).length === 0);
  assert.deepEqual(silent.map(String), []);
});

test("every RPC has its access row, and its HTTP binding unless it is kept from the REST edge", () => {
  for (const service of Object.values(SERVICES)) {
    const rows: Record<string, unknown> = ACCESS[service.name as keyof typeof ACCESS];
    for (const method of service.methods) {
      assert.equal(hasOption(method, http), !NOT_OVER_REST.includes(method.name), method.name);
      assert.ok(rows[method.localName] !== undefined, method.name);
    }
    assert.equal(Object.keys(rows).length, service.methods.length);
  }
});

test("every service of the protos is offered", () => {
  const declared = files.flatMap((file) => file.services.map(({ typeName }) => typeName));
  assert.deepEqual(
    declared.sort(),
    Object.values(SERVICES)
      .map(({ typeName }) => typeName)
      .sort(),
  );
});

test("reasons are upper-case words, each once", () => {
  const names = ErrorReasonSchema.values.map(({ localName }) => localName);
  for (const name of names) assert.match(name, /^[A-Z]+(_[A-Z]+)*$/);
  assert.equal(new Set(names).size, names.length);
});

function isSecret(field: DescField): boolean {
  return /secret|hash|salt|password/.test(field.name);
}

/** Those of pages are no access tokens. */
function isToken(field: DescField): boolean {
  return /token|jwt/.test(field.name) && !/page_token|token_type/.test(field.name);
}

/** However deep it lies. */
function holdsSecret(message: DescMessage): boolean {
  return message.fields.some(
    (field) => isSecret(field) || (field.message !== undefined && holdsSecret(field.message)),
  );
}

const namesOf = (some: readonly DescMessage[]): string[] => some.map(({ typeName }) => typeName).sort();

/** Whether the read model keeps the field's name and number free for ever. */
function isReserved({ name, number }: DescField): boolean {
  const { reservedName, reservedRange } = CredentialSchema.proto;
  return (
    reservedName.includes(name) && reservedRange.some(({ start, end }) => start <= number && number < end)
  );
}

const fieldOf = (field: DescField) => field;

function typeOf(field: DescField): string {
  return field.message?.typeName ?? field.enum?.typeName ?? String(field.scalar);
}
