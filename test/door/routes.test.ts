import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import {
  create,
  type DescFile,
  type DescMethodUnary,
  getOption,
  hasOption,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { type HttpRule, HttpRuleSchema } from "../../gen/google/api/http_pb.ts";
import { type Route, type RouteMatch, routeFinder, routesOf } from "../../src/door/routes.ts";
import { binding, givenMethod, givenMethods } from "../support/given-service.ts";

const modules = await Promise.all(globSync("gen/keyturn/**/*_pb.ts").map((file) => import(`../../${file}`)));
const files = modules.flatMap((module) =>
  Object.values(module as Record<string, { kind?: string }>).filter((value) => value?.kind === "file"),
) as DescFile[];
const methods = files.flatMap((file) =>
  file.services.flatMap((service) => service.methods),
) as DescMethodUnary[];
const routes = routesOf(methods);
const findRoute = routeFinder(routes);

const IAM = "/v1/regions/global/iam";
const ACCOUNT = `${IAM}/service-accounts/sa-one`;
const CREDENTIAL = `${ACCOUNT}/credentials/cred-one`;

/** What the contract says, apart from the protos. */
const CONTRACT: readonly (readonly [httpMethod: string, path: string, rpc: string, variables: object])[] = [
  ["POST", `${ACCOUNT}/credentials`, "CreateCredential", { service_account_id: "sa-one" }],
  ["GET", `${ACCOUNT}/credentials`, "ListCredentials", { service_account_id: "sa-one" }],
  ["GET", CREDENTIAL, "GetCredential", { service_account_id: "sa-one", id: "cred-one" }],
  ["DELETE", CREDENTIAL, "DeleteCredential", { service_account_id: "sa-one", id: "cred-one" }],
  ["POST", `${CREDENTIAL}:rotate`, "RotateCredential", { service_account_id: "sa-one", id: "cred-one" }],
  ["POST", `${ACCOUNT}:revokeCredentials`, "RevokeAllCredentials", { service_account_id: "sa-one" }],
  ["POST", `${IAM}/credentials:revokeAll`, "RevokeAllCredentials", {}],
  ["POST", `${IAM}/service-accounts`, "CreateServiceAccount", {}],
  ["GET", `${IAM}/service-accounts`, "ListServiceAccounts", {}],
  ["GET", ACCOUNT, "GetServiceAccount", { id: "sa-one" }],
  ["PATCH", ACCOUNT, "UpdateServiceAccount", { id: "sa-one" }],
  ["DELETE", ACCOUNT, "DeleteServiceAccount", { id: "sa-one" }],
  ["GET", `${IAM}/credential-policy`, "GetCredentialPolicy", {}],
  ["PATCH", `${IAM}/credential-policy`, "UpdateCredentialPolicy", {}],
  ["GET", `${IAM}/audit-events`, "ListAuditEvents", {}],
];

for (const [httpMethod, path, rpc, variables] of CONTRACT) {
  test(`${httpMethod} ${path} is ${rpc}`, () => {
    const match = matched(findRoute(httpMethod, path));
    assert.equal(match.route.method.name, rpc);
    assert.equal(match.route.hasBody, ["POST", "PATCH"].includes(httpMethod));
    assert.deepEqual(
      Object.fromEntries([...match.variables].map(([{ name }, value]) => [name, value])),
      variables,
    );
  });
}

/** Whatever may stand in a path between two slashes. */
const VALUES = [
  "a",
  "sa-one",
  "credentials",
  "rotate",
  "%3Arotate",
  "%2e%2e",
  "..",
  "-",
  "*",
  "{id}",
  "a b",
  "",
];

test("every path that fits a binding fits that one and no other, whatever stands for its variables", () => {
  assert.ok(routes.length >= CONTRACT.length);
  for (const { method, httpMethod, template } of templates()) {
    for (const value of VALUES) {
      const path = template.replace(/\{\w+\}/g, value);
      if (path.endsWith("/")) continue;
      const fitting = routes.filter((route) => routeFinder([route])(httpMethod, path).kind === "matched");
      assert.deepEqual(
        fitting.map((route) => route.method.name),
        [method.name],
        `${httpMethod} ${path}`,
      );
    }
  }
});

test("what follows a colon is a verb and never part of an id", () => {
  for (const { template } of templates()) {
    for (const verb of [":x", ":", ":rotate:rotate", ":Rotate", ":rotate:", ":%72otate", ":rotate "]) {
      const path = template.replace(/\{\w+\}/g, "x") + verb;
      for (const httpMethod of ["GET", "POST", "PATCH", "DELETE"]) {
        assert.deepEqual(findRoute(httpMethod, path), { kind: "route_unknown" }, path);
      }
    }
  }
});

const UNKNOWN = [
  "",
  "/",
  "*",
  "/v1",
  `${ACCOUNT}:rotate`,
  `${ACCOUNT}:revokeAll`,
  `${CREDENTIAL}:revokeCredentials`,
  `${IAM}/service-accounts:revokeAll`,
  `${IAM}/credentials`,
  `${IAM}/credentials%3ArevokeAll`,
  `${IAM}/service-accounts/a:b/credentials`,
  `${IAM}/service-accounts/:rotate`,
  `${IAM}/service-accounts/`,
  `${ACCOUNT}/`,
  `${ACCOUNT}/credentials/`,
  `${CREDENTIAL}/`,
  `${CREDENTIAL}/more`,
  `${ACCOUNT}//credentials`,
  `/${ACCOUNT}`,
  ACCOUNT.replace("/v1/", "/V1/"),
  ACCOUNT.replace("/v1/", "/v1/./"),
  ACCOUNT.replace("/v1/", "/%761/"),
  ACCOUNT.replace("/service-accounts/", "/service_accounts/"),
  ACCOUNT.replace("/service-accounts/", "/service-accounts%2F"),
  `http://localhost${ACCOUNT}`,
  `${IAM}/{service_account_id}`,
];

for (const path of UNKNOWN) {
  test(`the path "${path}" is unknown, whatever the method`, () => {
    for (const httpMethod of ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", ""]) {
      assert.deepEqual(findRoute(httpMethod, path), { kind: "route_unknown" });
    }
  });
}

test("a method that a path has not is refused with all those that it has, each once", () => {
  const allowed = (path: string, httpMethod: string) => {
    const match = findRoute(httpMethod, path);
    assert.equal(match.kind, "method_not_allowed", `${httpMethod} ${path}`);
    return "allowedMethods" in match ? match.allowedMethods.toSorted() : [];
  };
  for (const httpMethod of ["PUT", "HEAD", "get", "OPTIONS", "", "GET "]) {
    assert.deepEqual(allowed(`${IAM}/service-accounts`, httpMethod), ["GET", "POST"]);
    assert.deepEqual(allowed(ACCOUNT, httpMethod), ["DELETE", "GET", "PATCH"]);
    assert.deepEqual(allowed(CREDENTIAL, httpMethod), ["DELETE", "GET"]);
    assert.deepEqual(allowed(`${CREDENTIAL}:rotate`, httpMethod), ["POST"]);
    assert.deepEqual(allowed(`${ACCOUNT}:revokeCredentials`, httpMethod), ["POST"]);
    assert.deepEqual(allowed(`${IAM}/credentials:revokeAll`, httpMethod), ["POST"]);
  }
});

test("a variable is what was sent, undecoded", () => {
  const { variables } = matched(findRoute("GET", `${IAM}/service-accounts/%2e%2E%2f+%zz`));
  assert.deepEqual([...variables.values()], ["%2e%2E%2f+%zz"]);
});

const get = (path: string, ...additionalBindings: HttpRule[]) => binding("get", path, { additionalBindings });
const post = (path: string, ...additionalBindings: HttpRule[]) =>
  binding("post", path, { body: "*", additionalBindings });

test("each additional binding is a route of its own, nested ones too", () => {
  const second = post("/all:stop", get("/owners/{owner_id}/things/{id}:stop"));
  const made = routesOf([givenMethod(post("/things/{id}:stop", second))]);
  assert.deepEqual(
    made.map(({ httpMethod, hasBody }) => [httpMethod, hasBody]),
    [
      ["POST", true],
      ["POST", true],
      ["GET", false],
    ],
  );
  assert.equal(matched(routeFinder(made)("GET", "/owners/o/things/t:stop")).route, made[2]);
});

test("a method without a binding has no route", () => {
  const [bound] = givenMethods({ GetThing: get("/things/{id}") });
  const unbound = { ...bound, proto: { ...bound?.proto, options: undefined } } as DescMethodUnary;
  assert.deepEqual(routesOf([unbound]), []);
});

const RIVALS: readonly (readonly [a: string, b: string])[] = [
  ["/things/{id}", "/things/{owner_id}"],
  ["/things/{id}", "/things/all"],
  ["/things/all", "/things/all"],
  ["/things/{id}:stop", "/things/all:stop"],
  ["/{id}/things", "/owners/{owner_id}"],
];

for (const [a, b] of RIVALS) {
  test(`two methods at ${a} and ${b} do not start, in either order`, () => {
    assert.throws(() => routesOf(givenMethods({ A: get(a), B: get(b) })), TypeError);
    assert.throws(() => routesOf(givenMethods({ A: get(b), B: get(a) })), TypeError);
    assert.throws(() => routesOf([givenMethod(get(a, get(b)))]), TypeError);
    assert.equal(routesOf(givenMethods({ A: get(a), B: post(b) })).length, 2);
  });
}

const FRIENDS: readonly (readonly [a: string, b: string])[] = [
  ["/things/{id}", "/things/{id}:stop"],
  ["/things/{id}", "/things/all:stop"],
  ["/things/{id}:start", "/things/{id}:stop"],
  ["/things/{id}", "/things/{id}/parts"],
  ["/things/{id}", "/owners/{id}"],
];

for (const [a, b] of FRIENDS) {
  test(`two methods at ${a} and ${b} are told apart`, () => {
    assert.equal(routesOf(givenMethods({ A: get(a), B: get(b) })).length, 2);
  });
}

const custom = (pattern: MessageInitShape<typeof HttpRuleSchema>["pattern"]) =>
  create(HttpRuleSchema, pattern === undefined ? {} : { pattern });

const UNROUTABLE: readonly (readonly [what: string, rule: HttpRule])[] = [
  ["a variable of several segments", get("/things/{id=**}")],
  ["a variable with a pattern", get("/things/{id=things/*}")],
  ["a wildcard", get("/things/*")],
  ["a variable in a word", get("/things/x{id}")],
  ["a variable that is no field", get("/things/{nobody}")],
  ["a variable under its JSON name", get("/things/{ownerId}")],
  ["a variable of a nested field", get("/things/{part.color}")],
  ["a variable that is a number", get("/things/{size}")],
  ["a variable that is a list", get("/things/{tags}")],
  ["a body of one field", binding("post", "/things", { body: "part" })],
  ["a method of its own", custom({ case: "custom", value: { kind: "HEAD", path: "/things" } })],
  ["no pattern", custom({ case: undefined })],
];

for (const [what, rule] of UNROUTABLE) {
  test(`a binding with ${what} does not start`, () => {
    assert.throws(() => routesOf([givenMethod(rule)]), TypeError);
  });
}

/** The templates of the protos, read without the code under test. */
function templates(): { method: DescMethodUnary; httpMethod: string; template: string }[] {
  return methods
    .filter((method) => hasOption(method, http))
    .flatMap((method) => {
      const rule = getOption(method, http);
      return [rule, ...rule.additionalBindings].map(({ pattern }) => {
        assert.ok(typeof pattern.value === "string");
        return { method, httpMethod: pattern.case.toUpperCase(), template: pattern.value };
      });
    });
}

function matched(match: RouteMatch): {
  readonly route: Route;
  readonly variables: ReadonlyMap<{ name: string }, string>;
} {
  assert.equal(match.kind, "matched");
  return match as Extract<RouteMatch, { kind: "matched" }>;
}
