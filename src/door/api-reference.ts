import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { FaultError } from "../domain/fault.ts";

/** Answers requests for the OpenAPI document and the page that shows it. */
export interface ApiReference {
  /** Whether it has this path. */
  offers(path: string): boolean;
  /** @throws FaultError method_not_allowed. */
  answer(path: string, req: IncomingMessage, res: ServerResponse, requestId: string): Promise<void>;
}

interface File {
  readonly contentType: string;
  readonly url: () => URL;
}

const ownFile = (name: string) => () => new URL(name, import.meta.url);

const SCRIPT = "text/javascript; charset=utf-8";

const FILES: ReadonlyMap<string, File> = new Map([
  ["/openapi.json", { contentType: "application/json", url: ownFile("../../gen/openapi.json") }],
  ["/docs", { contentType: "text/html; charset=utf-8", url: ownFile("reference-page/page.html") }],
  ["/docs/page.js", { contentType: SCRIPT, url: ownFile("reference-page/page.js") }],
  [
    "/docs/swagger-ui.css",
    {
      contentType: "text/css; charset=utf-8",
      url: () => new URL(import.meta.resolve("swagger-ui-dist/swagger-ui.css")),
    },
  ],
  [
    "/docs/swagger-ui-bundle.js",
    { contentType: SCRIPT, url: () => new URL(import.meta.resolve("swagger-ui-dist/swagger-ui-bundle.js")) },
  ],
]);

const METHODS = ["GET", "HEAD"];

/**
 * Everything comes from this origin, and nothing of the page may come from or go to another. A file is asked for its entity tag when it is
 * wanted for the first time, and read from the disk each time: a server whose reference nobody looks at keeps none of it.
 */
export function createApiReference(): ApiReference {
  const tags = new Map<string, Promise<FileTag>>();
  const tagOf = (path: string, file: File): Promise<FileTag> => {
    const tag = tags.get(path) ?? readTag(file);
    tags.set(path, tag);
    // What could not be read may be there the next time.
    tag.catch(() => tags.delete(path));
    return tag;
  };
  return {
    offers: (path) => FILES.has(path),
    async answer(path, req, res, requestId) {
      if (!METHODS.includes(req.method ?? ""))
        throw new FaultError({ kind: "method_not_allowed", allowedMethods: METHODS });
      const file = FILES.get(path) as File;
      const { etag, bytes } = await tagOf(path, file);
      const headers = {
        ...SECURITY_HEADERS,
        // Kept, and asked for again each time: page, script and document are of one release.
        "cache-control": "no-cache",
        etag,
        "x-request-id": requestId,
      };
      if (isKnown(req, etag)) return void res.writeHead(304, headers).end();
      res.writeHead(200, { ...headers, "content-type": file.contentType, "content-length": bytes });
      if (req.method === "HEAD") return void res.end();
      // Who leaves in the middle of it needs no answer.
      await pipeline(createReadStream(file.url()), res).catch(() => res.destroy());
    },
  };
}

/** The viewer sets no style by markup and evaluates nothing; it shows pictures that are in its style sheet. */
const SECURITY_HEADERS: OutgoingHttpHeaders = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

interface FileTag {
  readonly etag: string;
  readonly bytes: number;
}

async function readTag(file: File): Promise<FileTag> {
  const content = await readFile(file.url());
  const digest = createHash("sha256").update(content).digest("base64url");
  return { etag: `"${digest}"`, bytes: content.length };
}

/** RFC 9110 section 13.1.2, where tags are compared weakly. */
function isKnown(req: IncomingMessage, etag: string): boolean {
  const tags = (req.headers["if-none-match"] ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(etag);
}
