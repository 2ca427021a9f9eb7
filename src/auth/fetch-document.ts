import { Buffer } from "node:buffer";
import { type JsonValue, parseStrictJson, StrictJsonError } from "../domain/strict-json.ts";
import { KeySetError } from "./key-set-error.ts";

/** Largest document that is read, in bytes after decompression. */
export const DOCUMENT_BYTES_MAX = 256 * 1024;

export type Fetch = typeof globalThis.fetch;

/**
 * Gets one JSON document. A redirect is refused: whoever could place one would choose our keys.
 * @param signal ends the exchange up to the last byte of the body, with a KeySetError as its reason.
 * @throws KeySetError `unreachable`, `http_status`, `too_large`, `not_json`, or the signal's reason.
 */
export async function fetchDocument(fetch: Fetch, url: URL, signal: AbortSignal): Promise<JsonValue> {
  try {
    const response = await fetch(url, { redirect: "error", signal, headers: { accept: "application/json" } });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new KeySetError("http_status", { httpStatus: response.status });
    }
    return parseStrictJson(await readBody(response));
  } catch (cause) {
    if (cause instanceof KeySetError) throw cause;
    throw new KeySetError(cause instanceof StrictJsonError ? "not_json" : "unreachable", { cause });
  }
}

/** Counts while it reads, because a Content-Length may be absent, or say less than a compressed body holds. */
async function readBody(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop by a throw cancels the stream, which closes the connection.
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > DOCUMENT_BYTES_MAX) throw new KeySetError("too_large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
