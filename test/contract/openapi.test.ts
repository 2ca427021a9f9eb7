import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { before, test } from "node:test";
import { VerifyCredentialRequestSchema } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { keywordsOf } from "../../scripts/openapi/rules.ts";
import { firstSentence, inJson, withoutErrors } from "../../scripts/openapi/words.ts";
import { meaningOfReason, type ReasonFacts, reasonFacts } from "../../scripts/references/errors.ts";
import { type Comments, readComments } from "../../scripts/references/proto-comments.ts";

let comments: Comments;
let facts: readonly ReasonFacts[];
before(() => {
  // Whoever has not run the check has not got it yet.
  execFileSync(process.execPath, ["scripts/print-validate-proto.ts"]);
  comments = readComments();
  facts = reasonFacts(comments);
});

test("a rule that the document has no keyword for stops the generator", () => {
  assert.deepEqual(keywordsOf(VerifyCredentialRequestSchema.field.clientId), { maxLength: 255 });
  assert.throws(() => keywordsOf(VerifyCredentialRequestSchema.field.sourceIp), /ip.* has no keyword/);
});

test("a comment on a reason that says another status, or not all of its metadata, stops the generator", () => {
  for (const fact of facts) {
    assert.notEqual(meaningOfReason(comments, fact), "");
    for (const other of [{ httpStatus: 418 }, { code: "OK" }, { metadata: ["unheard_of"] }])
      assert.throws(() => meaningOfReason(comments, { ...fact, ...other }), TypeError, fact.reason);
  }
});

test("the words of a comment are those of REST: fields as in JSON, values and errors as they are", () => {
  assert.equal(inJson("Send `page_token`, not `in_doubt`."), "Send `pageToken`, not `in_doubt`.");
  assert.equal(inJson("`page_token`", ["page_token"]), "`page_token`");
  assert.equal(
    withoutErrors("Reads one. Errors: NOT_FOUND.\n\nMore.\n\nErrors: A, B."),
    "Reads one.\n\nMore.",
  );
  assert.equal(firstSentence("Reads one, at once. It is fast."), "Reads one, at once");
});
