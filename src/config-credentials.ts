import { z } from "zod";
import { LIFETIMES, lifetime, MISSING, required, rootKeys, whole } from "./config-values.ts";
import { variable } from "./config-variable.ts";
import { DEFAULT_POLICY } from "./domain/policy.ts";
import { SECRET_PREFIX_DEFAULT, SECRET_PREFIX_PATTERN } from "./domain/secret.ts";

const TOMBSTONE_RETENTION_SECONDS = 30 * 86_400;
const EXPIRY_WARNING_SECONDS = 14 * 86_400;

/** How secrets are made, recognized and hashed. */
export const secretVariables = (production: boolean, cores: number) => ({
  KEYTURN_ROOT_KEY: variable(
    required(production, z.string({ error: `or KEYTURN_ROOT_KEY_FILE ${MISSING}` }).pipe(rootKeys)),
    {
      meaning:
        "32 bytes; the current key first, then retired ones. Or `KEYTURN_ROOT_KEY_FILE`, a file with that",
      form: "list in base64",
      standard: "made in the data folder",
      standardInProduction: "one of the two is required",
      sensitive: true,
    },
  ),
  KEYTURN_SECRET_PREFIX: variable(
    z
      .string()
      .regex(SECRET_PREFIX_PATTERN, "must be a lower-case letter and 1 to 15 lower-case letters or digits")
      .default(SECRET_PREFIX_DEFAULT),
    {
      meaning: "first word of every secret",
      form: "word",
      bounds: "a lower-case letter, then 1–15 letters or digits",
    },
  ),
  KEYTURN_ARGON2_MEMORY_KIB: variable(whole(production ? 19_456 : 64, 131_072, 19_456), {
    meaning:
      "memory of new hashes; older hashes of less memory × passes are replaced at their secret's next use, those of more stay",
    form: "KiB",
  }),
  KEYTURN_ARGON2_PASSES: variable(whole(production ? 2 : 1, 10, 2), { meaning: "passes of new hashes" }),
  KEYTURN_HASH_PERMITS: variable(whole(1, 64, cores), {
    meaning: "hashes at a time; each takes 19 MiB",
    standard: "number of cores",
  }),
  KEYTURN_MINT_POOL_SIZE: variable(whole(0, 4096, 64), { meaning: "secrets kept ready" }),
  KEYTURN_VERIFIED_SECRETS_MAX: variable(whole(0, 1_000_000, 50_000), {
    meaning: "secrets that a server remembers to be right, about 300 bytes each",
  }),
});

/** What organizations may decide, and what they are told. */
export const credentialVariables = () => ({
  ...LIFETIMES,
  KEYTURN_ACTIVE_CREDENTIALS_MAX: variable(whole(1, 100, DEFAULT_POLICY.activeCredentialsMax), {
    meaning: "active credentials of one service account; an organization may be stricter",
  }),
  KEYTURN_EXPIRY_WARNING: variable(lifetime(EXPIRY_WARNING_SECONDS), {
    meaning: "how long before its end a credential is said to expire soon",
  }),
  KEYTURN_TOMBSTONE_RETENTION: variable(lifetime(TOMBSTONE_RETENTION_SECONDS), {
    meaning: "how long a deleted credential is remembered, unseen",
  }),
});
