import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ACCESS } from "../../src/rpc/access.ts";
import { SERVICES, type ServiceName } from "../../src/rpc/services.ts";

interface MethodConfig {
  readonly name: readonly { readonly service?: string; readonly method?: string }[];
  readonly timeout: string;
  readonly retryPolicy?: { readonly retryableStatusCodes: readonly string[] };
}

const config = JSON.parse(readFileSync("service_config.json", "utf8")) as { methodConfig: MethodConfig[] };
const names = config.methodConfig.flatMap(({ name }) => name);

/** They change something, and are repeated all the same: the second call changes nothing more. */
const REPEATABLE_CHANGES = [
  "DeleteCredential",
  "DeleteServiceAccount",
  "ReportLeakedCredential",
  "RevokeToken",
];

const methods = Object.entries(SERVICES).flatMap(([name, service]) =>
  Object.values(service.method).map((method) => {
    const rows: Readonly<Record<string, { readonly changes: boolean }>> = ACCESS[name as ServiceName];
    return { service: service.typeName, method, changes: rows[method.localName]?.changes !== false };
  }),
);

/** As gRPC looks it up: the method's own, else its service's, else the default. */
function configOf(service: string, method: string): MethodConfig | undefined {
  const find = (wanted: { service?: string; method?: string }) =>
    config.methodConfig.find(({ name }) =>
      name.some((one) => one.service === wanted.service && one.method === wanted.method),
    );
  return find({ service, method }) ?? find({ service }) ?? find({});
}

test("the published service config names only what there is", () => {
  const known = new Set(
    methods.flatMap(({ service, method }) => [`${service}/`, `${service}/${method.name}`]),
  );
  for (const { service, method = "" } of names.filter(({ service }) => service !== undefined))
    assert.ok(known.has(`${service}/${method}`), `${service}/${method}`);
});

test("clients repeat whatever may be repeated, and nothing that would happen twice", () => {
  for (const { service, method, changes } of methods) {
    const isRepeated = configOf(service, method.name)?.retryPolicy !== undefined;
    assert.equal(isRepeated, !changes || REPEATABLE_CHANGES.includes(method.name), method.name);
  }
});

test("every RPC has a deadline at the client, and only UNAVAILABLE is repeated", () => {
  for (const { service, method } of methods)
    assert.match(configOf(service, method.name)?.timeout ?? "", /^\d+s$/);
  const codes = config.methodConfig.flatMap(({ retryPolicy }) => retryPolicy?.retryableStatusCodes ?? []);
  assert.deepEqual([...new Set(codes)], ["UNAVAILABLE"]);
});
