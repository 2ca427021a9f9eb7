import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  encodePart,
  makeSigningKey,
  type SigningKey,
  signText,
  signToken,
  type TokenParts,
} from "./token.ts";

/** How the issuer answers requests for its documents. */
export type Behaviour =
  | "well"
  | "hang"
  | "hang_in_body"
  | "huge"
  | "status_500"
  | "redirect"
  | "not_json"
  | "duplicate_keys"
  | "wrong_issuer"
  | "foreign_key_set_address"
  | "oauth_metadata_only";

/** A real issuer on a loopback port. Its tokens are good for five minutes. */
export interface TestIssuer {
  /** The `iss` of its tokens. */
  readonly url: string;
  /** The path of every request so far, oldest first. */
  readonly requests: readonly string[];
  /** Its `traceparent`, if it had one. */
  readonly traceparents: readonly (string | undefined)[];
  /** The key that signs by default. */
  key(): SigningKey;
  /** A token for an owner in the organization "acme", unless told otherwise. */
  sign(parts?: TokenParts): Promise<string>;
  /** Signs any header and payload, sensible or not, with an ES256 key. */
  signBytes(header: string | Uint8Array, payload: string | Uint8Array, key?: SigningKey): Promise<string>;
  /** Makes a key and publishes it instead of the others. */
  rotate(algorithm?: string): Promise<SigningKey>;
  /** Publishes exactly these, good or bad. */
  publish(keys: readonly unknown[]): void;
  behave(as: Behaviour): void;
  /** Resolves when the next request has come in. */
  nextRequest(): Promise<void>;
  stop(): Promise<void>;
}

export interface IssuerOptions {
  /** In ms since the epoch; default is the real time. */
  readonly now?: () => number;
  /** Of the first key. */
  readonly algorithm?: string;
  /** A path of the issuer's own, such as "/tenants/one". */
  readonly path?: string;
}

interface World {
  readonly issuer: string;
  readonly origin: string;
  readonly path: string;
  behaviour: Behaviour;
  published: readonly unknown[];
}

export async function startIssuer(options: IssuerOptions = {}): Promise<TestIssuer> {
  const { now = Date.now, algorithm = "ES256", path = "" } = options;
  const requests: string[] = [];
  const traceparents: (string | undefined)[] = [];
  const server = createServer((req, res) => {
    requests.push(req.url ?? "");
    traceparents.push(req.headers["traceparent"]?.toString());
    answer(world, req, res);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const world: World = { issuer: `${origin}${path}`, origin, path, behaviour: "well", published: [] };

  let key = await makeSigningKey(algorithm);
  world.published = [key.jwk];
  return {
    url: world.issuer,
    requests,
    traceparents,
    key: () => key,
    sign: (parts = {}) => signToken(world.issuer, parts.key ?? key, parts, now()),
    signBytes: (header, payload, signingKey = key) =>
      signText(`${encodePart(header)}.${encodePart(payload)}`, signingKey),
    rotate: async (next = "ES256") => {
      key = await makeSigningKey(next);
      world.published = [key.jwk];
      return key;
    },
    publish: (keys) => {
      world.published = keys;
    },
    behave: (as) => {
      world.behaviour = as;
    },
    nextRequest: async () => {
      await once(server, "request");
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function answer(world: World, req: IncomingMessage, res: ServerResponse): void {
  switch (world.behaviour) {
    case "hang":
      return;
    case "hang_in_body":
      res.writeHead(200, { "content-type": "application/json" }).write("{");
      return;
    case "huge":
      res.end(`{"padding":"${"x".repeat(300 * 1024)}"}`);
      return;
    case "status_500":
      res.writeHead(500).end();
      return;
    case "redirect":
      // Where it leads is good, so that only the redirect itself can be what is refused.
      if (req.url?.startsWith("/moved")) serveDocument(world, req.url.slice("/moved".length), res);
      else res.writeHead(302, { location: `/moved${req.url}` }).end();
      return;
    case "not_json":
      res.end("<html></html>");
      return;
    default:
      serveDocument(world, req.url ?? "", res);
  }
}

function serveDocument(world: World, path: string, res: ServerResponse): void {
  const body = documents(world).get(path);
  if (body === undefined) res.writeHead(404).end();
  else res.writeHead(200, { "content-type": "application/json" }).end(body);
}

/** By path. Both ways to find the metadata lead to the same key set. */
function documents(world: World): ReadonlyMap<string, string> {
  const { issuer, origin, behaviour } = world;
  const path = world.path.replace(/\/$/, "");
  const metadata = {
    issuer: behaviour === "wrong_issuer" ? `${issuer}/` : issuer,
    jwks_uri: behaviour === "foreign_key_set_address" ? "http://keys.example/keys" : `${origin}/keys`,
  };
  const keys = JSON.stringify({ keys: world.published });
  const found = new Map([
    [`/.well-known/oauth-authorization-server${path}`, JSON.stringify(metadata)],
    ["/keys", behaviour === "duplicate_keys" ? keys.replace("{", '{"keys":[],') : keys],
  ]);
  if (behaviour !== "oauth_metadata_only") {
    found.set(`${path}/.well-known/openid-configuration`, JSON.stringify(metadata));
  }
  return found;
}
