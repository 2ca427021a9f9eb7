import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { rest } from "../support/clients.ts";
import type { DoorAddresses } from "../support/doors.ts";
import type { IssuedCredential } from "../support/issued-credential.ts";
import { type Heard, overConnect, overGrpc } from "../support/rpc-callers.ts";
import { fieldsOf, postToken } from "../support/token-endpoint.ts";

export interface Asked {
  readonly issued: IssuedCredential;
  /** An access token that the credential was exchanged for. */
  readonly token: string;
  /** Bearer token of a verifier. */
  readonly verifier: string;
}

/** The ways in which one server says whether a credential holds. */
export interface AuthenticationDoors {
  /** Asks at all of them at the same moment. @throws when one says neither yes nor no. */
  ask(asked: Asked): Promise<Readonly<Record<string, boolean>>>;
  close(): void;
}

export function openAuthenticationDoors(at: DoorAddresses): AuthenticationDoors {
  const grpc = overGrpc(at);
  const connect = overConnect(at, "Connect JSON");
  const { verifyCredential } = VerificationService.method;
  const { mintToken } = TokenService.method;
  return {
    async ask({ issued, token, verifier }) {
      const headers = { authorization: `Bearer ${verifier}` };
      const { clientId, secret: clientSecret } = issued;
      const req = { grantType: "client_credentials", clientId, clientSecret };
      const answers = {
        "VerifyCredential gRPC": grpc.call(verifyCredential, { clientSecret }, headers).then(isVerified),
        "VerifyCredential Connect": connect
          .call(verifyCredential, { clientSecret }, headers)
          .then(isVerified),
        "token endpoint": isGranted(at, issued),
        "MintToken gRPC": grpc.call(mintToken, req, {}).then(isMinted),
        introspection: isActive(at, token, verifier),
      };
      const entries = Object.entries(answers).map(async ([door, answer]) => [door, await answer] as const);
      return Object.fromEntries(await Promise.all(entries));
    },
    close() {
      grpc.close();
      connect.close();
    },
  };
}

function isVerified({ reason, body }: Heard): boolean {
  if (body?.principal !== undefined) return true;
  if (body?.refusal !== undefined) return false;
  throw new Error(`neither principal nor refusal: ${reason}`);
}

function isMinted({ reason, body }: Heard): boolean {
  if (typeof body?.accessToken === "string" || typeof body?.access_token === "string") return true;
  if (reason === "INVALID_CLIENT") return false;
  throw new Error(`neither token nor refusal: ${reason}`);
}

async function isGranted(at: DoorAddresses, issued: IssuedCredential): Promise<boolean> {
  const { status, text } = await postToken(at, { form: fieldsOf(issued) });
  if (status === 200) return true;
  if (status === 401) return false;
  throw new Error(`neither token nor refusal: ${text}`);
}

async function isActive(at: DoorAddresses, token: string, verifier: string): Promise<boolean> {
  const body = new URLSearchParams({ token });
  const answer = await rest(at, "/oauth2/introspect", { method: "POST", token: verifier, body });
  if (answer.body?.active === true) return true;
  if (answer.text === '{"active":false}') return false;
  throw new Error(`neither active nor inactive: ${answer.text}`);
}
