import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { givenAccount } from "../../test/support/database.ts";
import type { ServerProcess } from "../../test/support/process.ts";
import { frame, rawGrpc } from "../../test/support/raw-grpc.ts";
import type { Invariant } from "./drill.ts";
import { exchange, requestText } from "./exchange.ts";
import type { World } from "./world.ts";

const ACCOUNTS = "/v1/regions/global/iam/service-accounts";
const LIST = `/${ServiceAccountService.typeName}/ListServiceAccounts`;

/** Instead of `Authorization`. */
const CREDENTIALS = [
  "grpc-metadata-authorization",
  "grpcgateway-authorization",
  "x-authorization",
  "x-forwarded-authorization",
  "x-access-token",
  "proxy-authorization",
  "x-api-key",
  "authentication",
  "cookie",
];
/** Who calls, as a proxy might say it. */
const IDENTITIES = [
  "x-forwarded-user",
  "x-remote-user",
  "x-auth-request-user",
  "x-user-id",
  "x-forwarded-client-cert",
];
const ORGANIZATIONS = [
  "x-organization-id",
  "x-tenant-id",
  "x-scope-orgid",
  "tenant_id",
  "grpc-metadata-tenant_id",
  "x-forwarded-host",
];
const METHODS = ["x-http-method-override", "x-http-method", "x-method-override"];
const PATHS = [
  "x-original-url",
  "x-rewrite-url",
  "x-forwarded-uri",
  "x-forwarded-prefix",
  "x-envoy-original-path",
];
const ADDRESSES = [
  "x-forwarded-for",
  "forwarded",
  "x-real-ip",
  "cf-connecting-ip",
  "true-client-ip",
  "x-client-ip",
  "x-envoy-external-address",
];

/** Says in headers what only the token, the method, the path and the connection may say. Resolves to how many calls. */
export async function spoofHeaders(
  world: World,
  server: ServerProcess,
  say: (invariant: Invariant, sentence: string) => void,
): Promise<number> {
  const token = await world.token();
  const mine = `authorization: Bearer ${token}`;
  const [account = ""] = await world.accounts(1);
  const other = await givenAccount(world.sql);
  let count = 0;
  const ask = async (line: string, headers: readonly string[], wanted: number, body = "") => {
    count += 1;
    const { status } = await exchange(server.addresses.http, requestText(line, headers, body));
    if (status !== wanted)
      say(status >= 500 ? "standing" : "unmoved", `${line} with ${headers.at(-1)?.slice(0, 60)}: ${status}`);
  };
  for (const name of [...CREDENTIALS, ...IDENTITIES]) {
    await ask(`GET ${ACCOUNTS}`, [`${name}: Bearer ${token}`], 401);
    await ask(`GET ${ACCOUNTS}`, [`${name}: admin`], 401);
    const grpc = rawGrpc(server.addresses.grpc);
    const { code } = await grpc.call(frame(Buffer.alloc(0)), { ":path": LIST, [name]: `Bearer ${token}` });
    grpc.close();
    count += 1;
    if (code !== 16) say("unmoved", `gRPC with ${name}: code ${code}`);
  }
  for (const name of ORGANIZATIONS)
    await ask(`GET ${ACCOUNTS}/${other.id}`, [mine, `${name}: ${other.organizationId}`], 404);
  for (const name of METHODS) {
    await ask(`GET ${ACCOUNTS}/${account}`, [mine, `${name}: DELETE`], 200);
    await ask(`POST ${ACCOUNTS}/${account}`, [mine, `${name}: DELETE`], 405, "{}");
  }
  await ask(`GET ${ACCOUNTS}/${account}?_method=DELETE`, [mine], 400);
  for (const name of PATHS) await ask("GET /v1/nowhere", [mine, `${name}: ${ACCOUNTS}/${account}`], 404);
  for (const name of ADDRESSES) {
    const value = name === "forwarded" ? "for=192.0.2.9" : "192.0.2.9";
    await ask(`POST ${ACCOUNTS}/${account}/credentials`, [mine, `${name}: ${value}`], 201, "{}");
  }
  const addresses = await world.sql<{ address: string }[]>`
    select distinct host(client_address) as address from keyturn.audit_events where organization_id = ${world.organizationId}`;
  for (const { address } of addresses)
    if (address !== "127.0.0.1") say("unmoved", `${address} is in the audit trail`);
  return count;
}
