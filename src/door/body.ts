import type { IncomingMessage } from "node:http";
import { abortFault, FaultError } from "../domain/fault.ts";

/**
 * Reads a request body of at most `bytesMax` bytes, and `envelopeBytes` more that belong to the protocol.
 * @throws FaultError message_too_large, content_type_unsupported (a content encoding), or the signal's own.
 */
export async function readBody(
  req: IncomingMessage,
  bytesMax: number,
  signal: AbortSignal,
  envelopeBytes = 0,
): Promise<Uint8Array> {
  const encoding = req.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity")
    throw new FaultError({ kind: "content_type_unsupported" });
  if (Number(req.headers["content-length"] ?? 0) > bytesMax + envelopeBytes) throw tooLarge(bytesMax);
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    const leave = () => {
      signal.removeEventListener("abort", onAbort);
      req.off("data", onData).off("end", onEnd).off("error", onAbort);
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length <= bytesMax + envelopeBytes) return;
      leave();
      // The rest is thrown away, for as long as a request may take. Closing on a client that still writes would reset
      // the connection, and the answer with it.
      req.resume();
      reject(tooLarge(bytesMax));
    };
    const onEnd = () => {
      leave();
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    };
    const onAbort = () => {
      leave();
      reject(signal.aborted ? abortFault(signal) : new FaultError({ kind: "cancelled" }));
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    req.on("data", onData).on("end", onEnd).on("error", onAbort);
  });
}

function tooLarge(bytesMax: number): FaultError {
  return new FaultError({ kind: "message_too_large", limitBytes: bytesMax });
}
