import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { type Channel, openChannel } from "../../src/client/channel.ts";
import {
  connectKeyturn,
  type Keyturn,
  KeyturnError,
  type RotationState,
  SecretLostError,
} from "../../src/client/keyturn.ts";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
let organizationId: string;
let keyturn: Keyturn;
/** For what the client has no words for. */
let channel: Channel;
before(async () => {
  h = await givenKeyturn();
  organizationId = (await h.givenAccount()).organizationId;
  const token = await h.token(organizationId, { roles: ["admin", "verifier"] });
  const options = { address: h.grpcAddress, token: () => token };
  keyturn = connectKeyturn(options);
  channel = openChannel(options);
});
after(async () => {
  keyturn.close();
  channel.close();
  await h.stop();
});

async function givenSecret() {
  const { id: serviceAccountId } = await h.givenAccount(organizationId);
  const { method } = CredentialService;
  const { id, clientSecret } = await channel.call(method.createCredential, { serviceAccountId });
  return { serviceAccountId, id, clientSecret, clientId: `${serviceAccountId}@${organizationId}.iam` };
}

const statusOf = async (serviceAccountId: string, id: string) =>
  channel.call(CredentialService.method.getCredential, { serviceAccountId, id }).then(
    ({ status }) => status,
    (err: KeyturnError) => err.code,
  );

test("a secret is verified: whose it is, or undefined, and an error of the call is an error", async () => {
  const { clientSecret, serviceAccountId, id, clientId } = await givenSecret();
  const principal = await keyturn.verify(clientSecret, { clientId, sourceIp: "192.0.2.1" });
  assert.deepEqual(
    [principal?.serviceAccountId, principal?.credentialId, principal?.scope, principal?.clientId],
    [serviceAccountId, id, "organization", clientId],
  );
  assert.ok((principal?.expiresAt.getTime() ?? 0) > Date.now());
  assert.equal(await keyturn.verify("nonsense"), undefined);
  const stranger = connectKeyturn({ address: h.grpcAddress, token: "nonsense" });
  await assert.rejects(stranger.verify(clientSecret), (err) => {
    assert.ok(err instanceof KeyturnError);
    assert.deepEqual([err.code, err.reason, err.isRefusal], ["UNAUTHENTICATED", "UNAUTHENTICATED", true]);
    assert.ok(h.log().includes(String(err.requestId)));
    return true;
  });
  stranger.close();
});

test("a call ends with its signal, and with its deadline", async () => {
  const { clientSecret } = await givenSecret();
  const aborted = AbortSignal.abort(new Error("enough"));
  await assert.rejects(keyturn.verify(clientSecret, { signal: aborted }), /enough/);
  const giveUp = new AbortController();
  const asking = keyturn.verify(clientSecret, { signal: giveUp.signal });
  giveUp.abort(new Error("enough"));
  await assert.rejects(asking, /enough/);
});

test("a token source exchanges a secret for a token, without the caller's bearer token, and refuses as the service does", async () => {
  const { clientId, clientSecret } = await givenSecret();
  const source = keyturn.tokenSource({ clientId, clientSecret: async () => clientSecret });
  const token = await source.token();
  assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.equal(await source.token(), token);
  const stranger = connectKeyturn({ address: h.grpcAddress, token: () => assert.fail("was asked for") });
  await stranger.tokenSource({ clientId, clientSecret }).token();
  stranger.close();
  const wrong = keyturn.tokenSource({ clientId, clientSecret: "nonsense" });
  await assert.rejects(
    wrong.token(),
    (err) => err instanceof KeyturnError && err.reason === "INVALID_CLIENT",
  );
});

test("a rotation deploys the new secret, waits until it is in use, and deletes the old one only then", async () => {
  const { serviceAccountId, id, clientSecret } = await givenSecret();
  const steps: string[] = [];
  const deployed = Promise.withResolvers<string>();
  const rotating = keyturn.rotate({
    ...{ serviceAccountId, credentialId: id, gracePeriodSeconds: 3600, quietMs: 0, pollMs: 10 },
    deploy: (secret) => deployed.resolve(secret),
    onProgress: (step) => steps.push(step),
  });
  const secret = await deployed.promise;
  assert.ok(await keyturn.verify(clientSecret), "both hold");
  assert.equal(steps.includes("in_use"), false);
  const principal = await keyturn.verify(secret);
  const newId = await rotating;
  assert.equal(principal?.credentialId, newId);
  assert.deepEqual(steps, ["rotated", "deployed", "in_use", "quiet", "deleted"]);
  assert.equal(await keyturn.verify(clientSecret), undefined);
  assert.ok(await keyturn.verify(secret));
});

test("while the old secret is used as well, it is not deleted", async () => {
  const { serviceAccountId, id, clientSecret } = await givenSecret();
  const steps: string[] = [];
  let secret = "";
  const giveUp = new AbortController();
  const rotating = keyturn.rotate({
    ...{ serviceAccountId, credentialId: id, gracePeriodSeconds: 3600, quietMs: 3_600_000, pollMs: 10 },
    deploy: (issued) => {
      secret = issued;
    },
    onProgress: (step) => steps.push(step),
    signal: giveUp.signal,
  });
  const ended = assert.rejects(rotating, /enough/);
  await eventually(() => secret !== "");
  await keyturn.verify(secret);
  await eventually(() => steps.includes("in_use"));
  const looks = () => h.log().split("GetCredential").length;
  const before = looks();
  await eventually(() => looks() > before + 5 || steps.includes("quiet"));
  giveUp.abort(new Error("enough"));
  await ended;
  assert.ok(await keyturn.verify(clientSecret));
  assert.equal(steps.includes("quiet"), false);
});

test("a rotation that was aborted goes on where it was: the same new credential, deployed once", async () => {
  const { serviceAccountId, id } = await givenSecret();
  const states: RotationState[] = [];
  const secrets: string[] = [];
  const giveUp = new AbortController();
  const options = {
    ...{ serviceAccountId, credentialId: id, gracePeriodSeconds: 3600, quietMs: 0, pollMs: 10 },
    deploy: (secret: string) => void secrets.push(secret),
    save: (state: RotationState) => void states.push(JSON.parse(JSON.stringify(state))),
  };
  const first = keyturn.rotate({ ...options, signal: giveUp.signal });
  const ended = assert.rejects(first, /enough/);
  await eventually(() => states.at(-1)?.isDeployed);
  giveUp.abort(new Error("enough"));
  await ended;
  assert.equal(JSON.stringify(states).includes("plt_cs"), false, "what is kept holds no secret");
  await keyturn.verify(secrets[0] ?? "");
  const resume = states.at(-1) as RotationState;
  assert.equal(await keyturn.rotate({ ...options, resume }), resume.newCredentialId);
  assert.equal(secrets.length, 1);
  assert.equal(await statusOf(serviceAccountId, id), "NOT_FOUND");
});

test("a rotation whose deployment failed gets the same secret again and deploys that", async () => {
  const { serviceAccountId, id } = await givenSecret();
  let state: RotationState | undefined;
  const secrets: string[] = [];
  const options = {
    ...{ serviceAccountId, credentialId: id, gracePeriodSeconds: 3600, quietMs: 0, pollMs: 10 },
    save: (kept: RotationState) => {
      state = kept;
    },
  };
  const failing = {
    ...options,
    deploy: (secret: string) => {
      secrets.push(secret);
      throw new Error("disk full");
    },
  };
  await assert.rejects(keyturn.rotate(failing), /disk full/);
  assert.ok(state);
  const deploy = async (secret: string) => {
    secrets.push(secret);
    await keyturn.verify(secret);
  };
  await keyturn.rotate({ ...options, resume: state, deploy });
  assert.equal(new Set(secrets).size, 1);
  assert.equal(secrets.length, 2);
});

test("a secret that cannot be had again is no reason to delete anything: the error names the new credential", async () => {
  const { serviceAccountId, id, clientSecret } = await givenSecret();
  let state: RotationState | undefined;
  const options = {
    ...{ serviceAccountId, credentialId: id, gracePeriodSeconds: 3600, quietMs: 0, pollMs: 10 },
    save: (kept: RotationState) => {
      state = kept;
    },
    deploy: () => {
      throw new Error("disk full");
    },
  };
  await assert.rejects(keyturn.rotate(options), /disk full/);
  assert.ok(state);
  // As ten minutes later.
  await h.db.sql`update keyturn.replays set created_at = created_at - interval '11 minutes'`;
  await assert.rejects(keyturn.rotate({ ...options, resume: state }), (err) => {
    assert.ok(err instanceof SecretLostError);
    assert.equal(err.newCredentialId, state?.newCredentialId);
    return true;
  });
  assert.ok(await keyturn.verify(clientSecret));
});
