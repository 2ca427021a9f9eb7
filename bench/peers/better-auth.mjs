/**
 * better-auth with its api-key plugin on PostgreSQL, behind the smallest HTTP server there can be: POST /verify with
 * {"key":"…"}. Its own rate limit is off, and each verification reads and updates the key, as the plugin has it.
 *
 * DATABASE_URL and KEYS (how many) in the environment; prints one line of JSON with address and keys once it listens.
 */
import { createServer } from "node:http";
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import pg from "pg";

const options = {
  database: new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 }),
  secret: "0123456789abcdef0123456789abcdef0123456789abcdef",
  baseURL: "http://127.0.0.1",
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);
const { user } = await auth.api.signUpEmail({
  body: {
    email: `bench-${process.pid}@example.com`,
    password: "correct horse battery staple",
    name: "Bench",
  },
});
const keys = [];
for (let index = 0; index < Number(process.env.KEYS ?? 100); index += 1) {
  const { key } = await auth.api.createApiKey({ body: { userId: user.id, name: `key-${index}` } });
  keys.push(key);
}

const server = createServer((req, res) => {
  let text = "";
  req.setEncoding("utf8");
  req.on("data", (chunk) => {
    text += chunk;
  });
  req.on("end", async () => {
    try {
      const answer = JSON.stringify(await auth.api.verifyApiKey({ body: { key: JSON.parse(text).key } }));
      res.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) });
      res.end(answer);
    } catch {
      res.writeHead(500).end();
    }
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${server.address().port}`, keys })}\n`);
process.on("SIGTERM", () => process.exit(0));
