import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialIdOf, givenCheck, newSecret } from "./given-check.ts";

const ASKERS = ["mint", "platform", "organization org-1", "organization mint"];

for (const guesser of ASKERS) {
  for (const [place, address] of Object.entries({ "one place": "192.0.2.1", nowhere: undefined })) {
    test(`what ${guesser} asks for in the name of ${place} throttles nobody else's secrets`, async () => {
      const h = givenCheck();
      const secret = h.givenSecret();
      const from = (asker: string) => ({ asker, address });
      for (let time = 0; time < 70; time += 1) {
        await h.check(newSecret(credentialIdOf(secret)), from(guesser));
        await h.check(newSecret(), from(guesser));
        await h.check("forged", from(guesser));
      }
      assert.equal((await h.check(secret, from(guesser))).kind, "throttled");
      for (const other of ASKERS.filter((asker) => asker !== guesser)) {
        assert.equal((await h.check("forged", from(other))).kind, "refused", other);
        // Known nowhere, so that the throttle is asked.
        h.store(secret, { credentialUid: `uid of ${other}` });
        assert.equal((await h.check(secret, from(other))).kind, "verified", other);
      }
    });
  }
}
