/**
 * oidc-provider with a PostgreSQL adapter: client_credentials, JWT access tokens signed with ES256. Clients are read
 * from the database, as credentials are by us; their secrets are kept in clear there, as the library has it.
 *
 * DATABASE_URL and CLIENTS ([{"id":"…","secret":"…"}]) in the environment; prints one line of JSON with the address once it listens.
 */
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
await pool.query(`
  create table if not exists oidc_payloads (
    model text not null, id text not null, payload jsonb not null, grant_id text, user_code text, uid text,
    expires_at timestamptz, consumed_at timestamptz, primary key (model, id))`);
for (const { id, secret } of JSON.parse(process.env.CLIENTS)) {
  const payload = {
    client_id: id,
    client_secret: secret,
    grant_types: ["client_credentials"],
    response_types: [],
    redirect_uris: [],
    token_endpoint_auth_method: "client_secret_basic",
  };
  await pool.query(
    "insert into oidc_payloads (model, id, payload) values ('Client', $1, $2) on conflict do nothing",
    [payload.client_id, payload],
  );
}

/** The adapter of the library's documentation, over one table. */
class Adapter {
  constructor(model) {
    this.model = model;
  }
  async upsert(id, payload, expiresIn) {
    await pool.query(
      `insert into oidc_payloads (model, id, payload, grant_id, user_code, uid, expires_at)
       values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
       on conflict (model, id) do update set payload = excluded.payload, expires_at = excluded.expires_at`,
      [
        this.model,
        id,
        payload,
        payload.grantId ?? null,
        payload.userCode ?? null,
        payload.uid ?? null,
        expiresIn ?? 0,
      ],
    );
  }
  async #one(column, value) {
    const { rows } = await pool.query({
      name: `find ${column}`,
      text: `select payload, consumed_at from oidc_payloads where model = $1 and ${column} = $2`,
      values: [this.model, value],
    });
    return rows[0] && { ...rows[0].payload, ...(rows[0].consumed_at ? { consumed: true } : {}) };
  }
  find(id) {
    return this.#one("id", id);
  }
  findByUid(uid) {
    return this.#one("uid", uid);
  }
  findByUserCode(userCode) {
    return this.#one("user_code", userCode);
  }
  async consume(id) {
    await pool.query("update oidc_payloads set consumed_at = now() where model = $1 and id = $2", [
      this.model,
      id,
    ]);
  }
  async destroy(id) {
    await pool.query("delete from oidc_payloads where model = $1 and id = $2", [this.model, id]);
  }
  async revokeByGrantId(grantId) {
    await pool.query("delete from oidc_payloads where grant_id = $1", [grantId]);
  }
}

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(url, {
  adapter: Adapter,
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "one", alg: "ES256", use: "sig" }] },
  clientAuthMethods: ["client_secret_basic"],
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "urn:bench",
      getResourceServerInfo: () => ({
        scope: "bench",
        audience: "urn:bench",
        accessTokenTTL: 900,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
  ttl: { ClientCredentials: 900 },
});
server.on("request", provider.callback());
process.stdout.write(`${JSON.stringify({ url })}\n`);
process.on("SIGTERM", () => process.exit(0));
