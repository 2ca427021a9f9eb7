import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Credential, CredentialStatus } from "../../gen/keyturn/v1/credential_pb.ts";
import {
  CredentialService,
  type RotateCredentialResponse,
} from "../../gen/keyturn/v1/credential_service_pb.ts";
import { KeyturnError } from "./call-error.ts";
import type { Channel } from "./channel.ts";

/** How far a rotation has come. Plain JSON, to be kept where a restart finds it; it holds no secret. */
export interface RotationState {
  readonly requestId: string;
  readonly gracePeriodSeconds: number;
  readonly expiresAt?: string;
  readonly newCredentialId?: string;
  readonly isDeployed?: boolean;
}

export interface RotationOptions {
  readonly serviceAccountId: string;
  /** The credential to replace. */
  readonly credentialId: string;
  /** Seconds for which the old secret holds at most: longer than a deployment takes. */
  readonly gracePeriodSeconds: number;
  /** End of the new credential. Default: the organization's default lifetime from now. */
  readonly expiresAt?: Date;
  /** Brings the new secret to where it is used. Called once more should the program end before `save` has kept that. */
  readonly deploy: (clientSecret: string, credentialId: string) => void | Promise<void>;
  /** Keeps how far it has come, before each step that cannot be repeated without it. */
  readonly save?: (state: RotationState) => void | Promise<void>;
  /** What `save` was given last, to go on from there. */
  readonly resume?: RotationState;
  /** The old one is deleted when it was not used for so long after the new one was. Default 300,000. */
  readonly quietMs?: number;
  /** How often is looked. Default 5,000. */
  readonly pollMs?: number;
  readonly onProgress?: (step: RotationStep) => void;
  /** Ends it where it is; it can be resumed. */
  readonly signal?: AbortSignal;
}

export type RotationStep = "rotated" | "deployed" | "in_use" | "quiet" | "deleted";

/**
 * The new credential is there, its secret was neither kept nor seen in use, and it cannot be had again: ten minutes have
 * passed. Find out whether it is deployed; if not, delete that credential and rotate the old one again.
 */
export class SecretLostError extends Error {
  readonly newCredentialId: string;

  constructor(newCredentialId: string) {
    super(`the secret of ${newCredentialId} cannot be had again`);
    this.name = "SecretLostError";
    this.newCredentialId = newCredentialId;
  }
}

const QUIET_MS = 300_000;
const POLL_MS = 5_000;
const ATTEMPTS_MAX = 5;

/**
 * Replaces a secret without an outage: issues the next one, has it deployed, waits until it is in use and the old one is
 * not any more, and deletes the old one.
 * @returns the id of the new credential. @throws KeyturnError, SecretLostError, the signal's reason, or what `deploy` throws.
 */
export async function rotateCredential(channel: Channel, options: RotationOptions): Promise<string> {
  const { save = () => {}, onProgress = () => {}, signal } = options;
  let state = options.resume ?? newState(options);
  if (!state.isDeployed) {
    // The request id first: whatever becomes of the answer, the same call gets the same secret for ten minutes.
    await save(state);
    const issued = await rotate(channel, options, state);
    onProgress("rotated");
    state = { ...state, newCredentialId: issued.id };
    await save(state);
    if (issued.clientSecret !== "") await options.deploy(issued.clientSecret, issued.id);
    else if (issued.lastUsedAt === undefined) throw new SecretLostError(issued.id);
    state = { ...state, isDeployed: true };
    await save(state);
    onProgress("deployed");
  }
  const newCredentialId = state.newCredentialId ?? "";
  await until(options, async () => (await get(channel, options, newCredentialId))?.lastUsedAt !== undefined);
  onProgress("in_use");
  await untilQuiet(channel, options);
  onProgress("quiet");
  signal?.throwIfAborted();
  await repeated(options, () => deleteOld(channel, options));
  onProgress("deleted");
  return newCredentialId;
}

const newState = ({ gracePeriodSeconds, expiresAt }: RotationOptions): RotationState => ({
  requestId: randomUUID(),
  gracePeriodSeconds,
  ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }),
});

/** In the words of the state, for with others the same request id is refused. */
function rotate(
  channel: Channel,
  options: RotationOptions,
  { requestId, gracePeriodSeconds, expiresAt }: RotationState,
): Promise<RotateCredentialResponse> {
  const { serviceAccountId, credentialId: id, signal } = options;
  const request = {
    ...{ serviceAccountId, id, requestId },
    gracePeriod: { seconds: BigInt(gracePeriodSeconds) },
    ...(expiresAt === undefined ? {} : { expiresAt: timestampFromDate(new Date(expiresAt)) }),
  };
  return repeated(options, () =>
    channel.call(CredentialService.method.rotateCredential, request, { signal }),
  );
}

/** Undefined when it is not there. */
async function get(channel: Channel, options: RotationOptions, id: string): Promise<Credential | undefined> {
  const { serviceAccountId, signal } = options;
  try {
    return await channel.call(CredentialService.method.getCredential, { serviceAccountId, id }, { signal });
  } catch (err) {
    // The old one may be deleted by somebody else; the new one must be there.
    if (isNotFound(err) && id === options.credentialId) return undefined;
    throw err;
  }
}

/** Uses are told apart by their instants, which are the database's: only whether they change is looked at. */
async function untilQuiet(channel: Channel, options: RotationOptions): Promise<void> {
  const { quietMs = QUIET_MS } = options;
  let seen: string | undefined;
  let since = performance.now();
  await until(options, async () => {
    const old = await get(channel, options, options.credentialId);
    if (old === undefined || old.status !== CredentialStatus.ACTIVE) return true;
    const uses = `${old.lastUsedAt?.seconds}.${old.lastUsedAt?.nanos} ${old.useCount}`;
    if (uses !== seen) [seen, since] = [uses, performance.now()];
    return performance.now() - since >= quietMs;
  });
}

async function deleteOld(channel: Channel, options: RotationOptions): Promise<void> {
  const { serviceAccountId, credentialId: id, signal } = options;
  try {
    await channel.call(CredentialService.method.deleteCredential, { serviceAccountId, id }, { signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
}

const isNotFound = (err: unknown): boolean => err instanceof KeyturnError && err.code === "NOT_FOUND";

/** A service that is away for a while is waited for; one that says no is not. */
const isOpen = (err: unknown): boolean => err instanceof KeyturnError && !err.isRefusal;

async function until(options: RotationOptions, look: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const found = await look().catch((err: unknown) => {
      if (isOpen(err)) return false;
      throw err;
    });
    if (found) return;
    await pause(options);
  }
}

async function repeated<T>(options: RotationOptions, call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (err) {
      if (attempt >= ATTEMPTS_MAX || !isOpen(err)) throw err;
    }
    await pause(options);
  }
}

async function pause({ pollMs = POLL_MS, signal }: RotationOptions): Promise<void> {
  await delay(pollMs, undefined, { signal }).catch(() => {});
  signal?.throwIfAborted();
}
