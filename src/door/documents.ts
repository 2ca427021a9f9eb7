import type { IncomingMessage, ServerResponse } from "node:http";
import { requestIdFrom } from "../rpc/call.ts";
import { createApiReference } from "./api-reference.ts";
import { answerWellKnown, WELL_KNOWN, type WellKnown } from "./well-known.ts";

/** A document that was asked for, for the log. */
export interface ServedDocument {
  /** One of our own, without what the client has put behind it. */
  readonly path: string;
  readonly httpStatus: number;
  readonly requestId: string;
  readonly durationMs: number;
}

export interface DocumentsOptions {
  /** Absent, there are no such paths. */
  readonly wellKnown?: WellKnown;
  /** Whether the API reference is shown. */
  readonly apiReference?: boolean;
  readonly onDocument?: (document: ServedDocument, req: IncomingMessage) => void;
}

/** What the HTTP door answers that is no call. Resolves to false for the path of none of these, and nothing is done then. */
export type AnswerDocument = (path: string, req: IncomingMessage, res: ServerResponse) => Promise<boolean>;

/** @throws FaultError as the documents do. */
export function createDocuments({ wellKnown, apiReference, onDocument }: DocumentsOptions): AnswerDocument {
  const reference = apiReference === true ? createApiReference() : undefined;
  return async (path, req, res) => {
    const isOfReference = reference?.offers(path) === true;
    if (!isOfReference && !path.startsWith(WELL_KNOWN)) return false;
    const startedAt = performance.now();
    const requestId = requestIdFrom(req.headers["x-request-id"]?.toString());
    if (isOfReference) await reference?.answer(path, req, res, requestId);
    else if (wellKnown === undefined || !answerWellKnown(wellKnown, path, req, res, requestId)) return false;
    const durationMs = performance.now() - startedAt;
    onDocument?.({ path, httpStatus: res.statusCode, requestId, durationMs }, req);
    return true;
  };
}
