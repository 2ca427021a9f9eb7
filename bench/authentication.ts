/**
 * How fast secrets are checked, against peers: in one interleaved run A-B-A-B, server, load and database in processes of
 * their own, ratios with their spread. `npm run bench:authentication`; the peers are installed by `npm ci` in bench/peers.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import postgres from "postgres";
import { VerifyCredentialRequestSchema } from "../gen/keyturn/v1/verification_service_pb.ts";
import { createLogins } from "../src/dev/development-database.ts";
import { startEmbeddedPostgres } from "../src/dev/embedded-postgres.ts";
import { startIssuer } from "../test/support/issuer.ts";
import { runGrpcLoad } from "./support/grpc-load.ts";
import { type LoadResult, postRequest, runHttpLoad } from "./support/http-load.ts";
import { type Measured, start } from "./support/process.ts";

const PEERS = "bench/peers";
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 5);
const PAIRS = Number(process.env["BENCH_PAIRS"] ?? 3);
const CONNECTIONS = 16;
const CREDENTIALS = 100;

interface Contender {
  readonly name: string;
  readonly server: Measured;
  run(durationMs: number): Promise<LoadResult>;
}

interface Measurement extends LoadResult {
  readonly cpuMsPerAnswer: number;
}

async function measure({ server, run, name }: Contender): Promise<Measurement> {
  const before = server.cpuSeconds();
  const result = await run(SECONDS * 1000);
  if (result.failures > 0) throw new Error(`${name}: ${result.failures} of ${result.answers} failed`);
  return { ...result, cpuMsPerAnswer: ((server.cpuSeconds() - before) * 1000) / result.answers };
}

/** Pairs of runs, one after the other, so that a machine that changes its speed changes both. */
async function compare(ours: Contender, theirs: Contender): Promise<void> {
  for (const contender of [ours, theirs]) await contender.run(1_000);
  const pairs: [Measurement, Measurement][] = [];
  for (let pair = 0; pair < PAIRS; pair += 1) pairs.push([await measure(ours), await measure(theirs)]);
  const ratio = (of: (m: Measurement) => number) => spread(pairs.map(([a, b]) => of(a) / of(b)));
  const shown = (of: (m: Measurement) => number, index: 0 | 1) =>
    median(pairs.map((pair) => of(pair[index]))).toPrecision(3);
  process.stdout.write(
    [
      `${ours.name} / ${theirs.name}`,
      `  per second     ${ratio((m) => m.perSecond)}   (${shown((m) => m.perSecond, 0)} / ${shown((m) => m.perSecond, 1)})`,
      `  p99            ${ratio((m) => m.p99Ms)}   (${shown((m) => m.p99Ms, 0)} ms / ${shown((m) => m.p99Ms, 1)} ms)`,
      `  CPU per answer ${ratio((m) => m.cpuMsPerAnswer)}   (${shown((m) => m.cpuMsPerAnswer, 0)} ms / ${shown((m) => m.cpuMsPerAnswer, 1)} ms)`,
      "",
    ].join("\n"),
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const spread = (values: readonly number[]): string =>
  `${median(values).toFixed(2)} [${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)}]`;

async function main(): Promise<void> {
  if (!existsSync(`${PEERS}/node_modules`))
    throw new Error(`the peers are missing: npm ci --prefix ${PEERS}`);
  const folder = mkdtempSync(join(tmpdir(), "keyturn-bench-"));
  const database = await startEmbeddedPostgres({
    dataDir: join(folder, "postgres"),
    settings: { max_connections: "100" },
  });
  const issuer = await startIssuer();
  const running: Measured[] = [];
  const run = (...args: Parameters<typeof start>) => {
    const process_ = start(...args);
    running.push(process_);
    return process_;
  };
  try {
    const { ownerUrl, serverUrl } = await createLogins(database, "keyturn");
    const admin = postgres(database.url({ ...database.superuser, database: "postgres" }), { max: 1 });
    for (const name of ["peer_oidc", "peer_better"]) await admin.unsafe(`create database ${name}`);
    await admin.end();
    const urlOf = (name: string) => database.url({ ...database.superuser, database: name });
    const keyFile = join(folder, "root-key");
    writeFileSync(keyFile, randomBytes(32).toString("base64"));
    const common = { DATABASE_URL: ownerUrl, NODE_ENV: "production", LOG_LEVEL: "info" };
    const migrating = start([process.execPath, "bin/keyturn.mjs", "migrate"], common);
    await migrating.exited;
    const keyturn = run([process.execPath, "bin/keyturn.mjs", "serve"], {
      ...common,
      DATABASE_URL: serverUrl,
      KEYTURN_OIDC_ISSUER: issuer.url,
      KEYTURN_OIDC_AUDIENCE: "keyturn",
      KEYTURN_TOKEN_ISSUER: "https://keyturn.example",
      KEYTURN_ROOT_KEY_FILE: keyFile,
      KEYTURN_GRPC_PORT: "0",
      KEYTURN_HTTP_PORT: "0",
      KEYTURN_ADMIN_PORT: "0",
      KEYTURN_ACTIVE_CREDENTIALS_MAX: "100",
    });
    const doors = await keyturn.line<{ grpc: string; http: string }>((line) => line["msg"] === "listening");
    const token = await issuer.sign({
      claims: { tenant_id: "bench", roles: ["admin", "verifier"], sub: "bench" },
    });
    const http = `http://${doors.http}`;
    const secrets = await givenSecrets(http, token);

    const echo = run([process.execPath, "bench/echo-server.ts"], {});
    const { address: echoAddress } = await echo.line<{ address: string }>((line) => "address" in line);
    const oidc = run(
      [process.execPath, "oidc-provider.mjs"],
      { DATABASE_URL: urlOf("peer_oidc"), CLIENTS: `${CREDENTIALS}` },
      PEERS,
    );
    const { url: oidcUrl } = await oidc.line<{ url: string }>((line) => "url" in line);
    const better = run(
      [process.execPath, "better-auth.mjs"],
      { DATABASE_URL: urlOf("peer_better"), KEYS: `${CREDENTIALS}` },
      PEERS,
    );
    const { url: betterUrl, keys } = await better.line<{ url: string; keys: string[] }>(
      (line) => "keys" in line,
    );

    const bearer = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const messages = secrets.map((clientSecret) =>
      Buffer.from(
        toBinary(VerifyCredentialRequestSchema, create(VerifyCredentialRequestSchema, { clientSecret })),
      ),
    );
    const grpc = (name: string, server: Measured, address: string): Contender => ({
      name,
      server,
      run: (durationMs) =>
        runGrpcLoad(
          {
            address,
            path: "/keyturn.v1.VerificationService/VerifyCredential",
            messages,
            token,
            connections: 4,
            callers: 64,
          },
          durationMs,
        ),
    });
    const overHttp = (
      name: string,
      server: Measured,
      url: string,
      requests: readonly Buffer[],
    ): Contender => ({
      name,
      server,
      run: (durationMs) => runHttpLoad({ url, requests, connections: CONNECTIONS }, durationMs),
    });
    const basic = (id: string, secret: string) => ({
      authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString("base64")}`,
      "content-type": "application/x-www-form-urlencoded",
    });
    const grant = "grant_type=client_credentials";

    const verifyGrpc = grpc("VerifyCredential gRPC", keyturn, doors.grpc);
    const verifyHttp = overHttp(
      "VerifyCredential HTTP JSON",
      keyturn,
      http,
      secrets.map((clientSecret) =>
        postRequest(
          http,
          "/keyturn.v1.VerificationService/VerifyCredential",
          bearer,
          JSON.stringify({ clientSecret }),
        ),
      ),
    );
    const tokens = overHttp(
      "token endpoint",
      keyturn,
      http,
      secrets.map((secret) => postRequest(http, "/oauth2/token", basic("sa-bench@bench.iam", secret), grant)),
    );
    const oidcTokens = overHttp(
      "oidc-provider tokens",
      oidc,
      oidcUrl,
      Array.from({ length: CREDENTIALS }, (_, index) =>
        postRequest(
          oidcUrl,
          "/token",
          basic(`client-${index}`, `secret-of-client-${index}-0123456789012345678901234567890`),
          grant,
        ),
      ),
    );
    const betterKeys = overHttp(
      "better-auth verify",
      better,
      betterUrl,
      keys.map((key) =>
        postRequest(betterUrl, "/verify", { "content-type": "application/json" }, JSON.stringify({ key })),
      ),
    );
    await compare(verifyGrpc, oidcTokens);
    await compare(tokens, oidcTokens);
    await compare(verifyHttp, betterKeys);
    await compare(verifyGrpc, grpc("bare echo behind the same interceptors", echo, echoAddress));
  } finally {
    for (const process_ of running) await process_.stop();
    await issuer.stop();
    await database.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A service account with as many secrets as are checked in turn. */
async function givenSecrets(http: string, token: string): Promise<string[]> {
  const post = async (path: string, body: object) => {
    const res = await fetch(`${http}/v1/regions/global/iam${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!res.ok) throw new Error(await res.text());
    return (await res.json()) as { clientSecret: string };
  };
  await post("/service-accounts", { id: "sa-bench", displayName: "Bench", roles: ["a", "b"] });
  const secrets: string[] = [];
  while (secrets.length < CREDENTIALS)
    secrets.push((await post("/service-accounts/sa-bench/credentials", {})).clientSecret);
  return secrets;
}

await main();
process.exit();
