import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isPrincipal, VERIFY, verifyMessage } from "../../bench/support/checks.ts";
import { CREATE, createMessage } from "../../bench/support/creates.ts";
import { openGrpcConnection } from "../../bench/support/grpc-connection.ts";
import { givenIssued, unissuedSecret } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

test("the load's own connection tells a principal from a refusal, and a credential from an error", async (t) => {
  const issued = await givenIssued(h);
  const token = await h.token(issued.organizationId, { roles: ["admin", "verifier"] });
  const at = { address: h.grpcAddress, token };
  const verify = await openGrpcConnection({ ...at, path: VERIFY, isWanted: isPrincipal });
  const create = await openGrpcConnection({ ...at, path: CREATE });
  t.after(() => [verify, create].forEach((connection) => void connection.close()));
  const heard = [
    await verify.call(verifyMessage(issued.secret)),
    await verify.call(verifyMessage(unissuedSecret())),
    await create.call(createMessage(issued.accountId)),
    await create.call(createMessage("sa-unknown")),
  ];
  assert.deepEqual(heard, [true, false, true, false]);
});

test("a call that is given up is no answer", async (t) => {
  const account = await h.givenAccount();
  const connection = await openGrpcConnection({
    address: h.grpcAddress,
    token: await h.token(account.organizationId),
    path: CREATE,
  });
  t.after(() => connection.close());
  assert.equal(await connection.call(createMessage(account.id), 0), false);
});
