import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ServiceAccountScope } from "../../gen/keyturn/v1/service_account_pb.ts";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import {
  type Principal as PrincipalMessage,
  VerificationService,
} from "../../gen/keyturn/v1/verification_service_pb.ts";
import { type CallOptions, type Channel, type ChannelOptions, openChannel } from "./channel.ts";
import { presentedSecret } from "./presented-secret.ts";
import { type RotationOptions, rotateCredential } from "./rotation.ts";
import { createTokenSource, type MintedToken, type TokenSource } from "./token-source.ts";

export { KeyturnError } from "./call-error.ts";
export type { CallOptions, ChannelOptions, TlsOptions } from "./channel.ts";
export { type RotationOptions, type RotationState, type RotationStep, SecretLostError } from "./rotation.ts";
export type { TokenSource } from "./token-source.ts";

/** Keyturn, for a program that authenticates its callers with it, or itself. */
export interface Keyturn {
  /**
   * Whose secret it is; undefined when it does not hold. A line end behind it is left out. Takes a token with a verifier's role.
   * @throws KeyturnError, which says nothing about the secret.
   */
  verify(clientSecret: string, options?: VerifyOptions): Promise<Principal | undefined>;
  /** Access tokens for a service account's secret. Asks for nothing until a token is wanted. */
  tokenSource(options: TokenSourceOptions): TokenSource;
  /** Replaces a secret without an outage. Takes a token with an administrator's role. See `RotationOptions`. */
  rotate(options: RotationOptions): Promise<string>;
  close(): void;
}

export interface VerifyOptions extends CallOptions {
  /** Client id that was presented with it. */
  readonly clientId?: string;
  /** Address and user agent that presented it: kept as its last use, and held against its ranges. */
  readonly sourceIp?: string;
  readonly userAgent?: string;
}

/** The service account that a secret authenticates. */
export interface Principal {
  readonly organizationId: string;
  readonly serviceAccountId: string;
  readonly serviceAccountUid: string;
  readonly clientId: string;
  readonly credentialId: string;
  readonly scope: "organization" | "project";
  readonly scopeId: string;
  readonly roles: readonly string[];
  readonly expiresAt: Date;
  readonly expiresSoon: boolean;
}

export interface TokenSourceOptions {
  /** `{id}@{organization}.iam`. */
  readonly clientId: string;
  /** A function is asked at each refresh, so that a secret that was replaced is found. A line end behind it is left out. */
  readonly clientSecret: string | (() => string | Promise<string>);
  /** Words separated by spaces that leave the token less than the service account has. */
  readonly scope?: string;
  /** Told, at each refresh, that the secret itself ends soon. */
  readonly onSecretExpiresSoon?: (expiresAt: Date) => void;
  /** Told of a refresh that failed while the token still holds. */
  readonly onRefreshFailed?: (err: unknown) => void;
}

/** Connects at the first call. @throws TypeError for half of a client's key pair. */
export function connectKeyturn(options: ChannelOptions): Keyturn {
  const channel = openChannel(options);
  return {
    verify: (clientSecret, verifyOptions) => verify(channel, clientSecret, verifyOptions),
    tokenSource: (sourceOptions) =>
      createTokenSource({
        mint: () => mint(channel, sourceOptions),
        now: () => performance.now(),
        random: Math.random,
        onRefreshFailed: sourceOptions.onRefreshFailed ?? (() => {}),
      }),
    rotate: (rotationOptions) => rotateCredential(channel, rotationOptions),
    close: () => channel.close(),
  };
}

async function verify(
  channel: Channel,
  clientSecret: string,
  { clientId = "", sourceIp = "", userAgent = "", ...call }: VerifyOptions = {},
): Promise<Principal | undefined> {
  const request = { clientSecret: presentedSecret(clientSecret), clientId, sourceIp, userAgent };
  const { result } = await channel.call(VerificationService.method.verifyCredential, request, call);
  switch (result.case) {
    case "principal":
      return toPrincipal(result.value);
    case "refusal":
      return undefined;
    default:
      throw new TypeError("an answer that is neither a principal nor a refusal");
  }
}

function toPrincipal({ $typeName: _name, $unknown: _unknown, ...message }: PrincipalMessage): Principal {
  return {
    ...message,
    scope: message.scope === ServiceAccountScope.PROJECT ? "project" : "organization",
    expiresAt: message.expiresAt === undefined ? new Date(Number.NaN) : timestampDate(message.expiresAt),
  };
}

/** The secret says who calls, so no bearer token goes along: it may come from this very source. */
async function mint(channel: Channel, options: TokenSourceOptions): Promise<MintedToken> {
  const { clientId, clientSecret, scope = "" } = options;
  const secret = typeof clientSecret === "function" ? await clientSecret() : clientSecret;
  const request = {
    ...{ grantType: "client_credentials", clientId, scope },
    clientSecret: presentedSecret(secret),
  };
  const minted = await channel.call(TokenService.method.mintToken, request, { isAnonymous: true });
  if (minted.credentialExpiresSoon && minted.credentialExpiresAt !== undefined)
    options.onSecretExpiresSoon?.(timestampDate(minted.credentialExpiresAt));
  return { accessToken: minted.accessToken, lifetimeMs: minted.expiresIn * 1000 };
}
