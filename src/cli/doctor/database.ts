import { deriveKeys, type KeyRing } from "../../auth/root-keys.ts";
import { openSigningKey } from "../../auth/signing-key.ts";
import type { DatabaseFacts } from "../../storage/database-examination.ts";
import { type Finding, ok, warning, wrong } from "./finding.ts";
import { judgeSchema } from "./schema.ts";

const WHERE = "DATABASE_URL";
const VERSION_MIN = 140_000;
const CLOCK_SKEW_MS_MAX = 1_000;
const PASSWORD_DAYS_MIN = 14;

export interface DatabaseWishes {
  readonly production: boolean;
  readonly connectionsMax: number;
  readonly rootKeys: KeyRing | undefined;
  readonly now: Date;
}

/** What these facts mean for a server. */
export function judgeDatabase(facts: DatabaseFacts, wishes: DatabaseWishes): Finding[] {
  const findings = [
    ...serverFindings(facts, wishes),
    ...loginFindings(facts, wishes),
    ...judgeSchema(facts),
    ...keyFindings(facts, wishes.rootKeys),
  ];
  const version = `${Math.floor(facts.versionNumber / 10_000)}.${facts.versionNumber % 10_000}`;
  const answer = `PostgreSQL ${version} answers in ${facts.roundTripMs.toFixed(1)} ms`;
  return [ok("database", WHERE, answer), ...findings];
}

function serverFindings(facts: DatabaseFacts, { connectionsMax }: DatabaseWishes): Finding[] {
  const skewMs = Math.abs(facts.clockAheadMs) - facts.roundTripMs;
  const side = facts.clockAheadMs > 0 ? "ahead of" : "behind";
  const left = facts.connectionsLeft;
  return [
    ...(facts.versionNumber < VERSION_MIN
      ? [wrong("database_old", WHERE, "is older than PostgreSQL 14", "upgrade it")]
      : []),
    ...(facts.isReadOnly
      ? [
          wrong(
            "database_read_only",
            WHERE,
            "is a standby, or read-only",
            "name the primary, or several hosts with target_session_attrs=read-write",
          ),
        ]
      : []),
    ...(facts.encoding === "UTF8"
      ? []
      : [
          wrong(
            "database_encoding",
            WHERE,
            `has the encoding ${facts.encoding}`,
            "create it with encoding 'UTF8'",
          ),
        ]),
    ...facts.unsafeSettings.map((name) =>
      warning(
        "database_unsafe",
        WHERE,
        `${name} is off: what was acknowledged can be lost`,
        `set ${name} = on`,
      ),
    ),
    ...(skewMs > CLOCK_SKEW_MS_MAX
      ? [
          wrong(
            "clock_skew",
            WHERE,
            `its clock is ${(Math.abs(facts.clockAheadMs) / 1000).toFixed(1)} s ${side} this machine's`,
            "let both follow NTP",
          ),
        ]
      : []),
    ...(left < connectionsMax
      ? [
          wrong(
            "database_connections",
            "KEYTURN_DATABASE_CONNECTIONS_MAX",
            `a server wants ${connectionsMax} connections, and ${left} are left`,
            "raise max_connections (or the limit of role or database), or lower the variable",
          ),
        ]
      : []),
  ];
}

function loginFindings(facts: DatabaseFacts, { production, now }: DatabaseWishes): Finding[] {
  const todo = "create role keyturn_server login password '...' in role keyturn_app, and take that";
  const { passwordEndsAt } = facts;
  const days =
    passwordEndsAt === null
      ? Number.POSITIVE_INFINITY
      : (passwordEndsAt.getTime() - now.getTime()) / 86_400_000;
  const excess = production ? wrong : warning;
  const excessive = [
    ...(facts.isSuperuser ? [wrong("login_superuser", WHERE, `${facts.login} is a superuser`, todo)] : []),
    ...(facts.bypassesRls && !facts.isSuperuser
      ? [wrong("login_bypassrls", WHERE, `${facts.login} has BYPASSRLS`, todo)]
      : []),
    ...(facts.isOwner && !facts.isSuperuser
      ? [excess("login_owner", WHERE, `${facts.login} owns the schema: that login is for migrate`, todo)]
      : []),
    ...(facts.writesTables && !facts.isOwner && !facts.isSuperuser
      ? [excess("login_writes", WHERE, `${facts.login} may write tables directly`, todo)]
      : []),
  ];
  return [
    ...(excessive.length > 0 ? excessive : [ok("login", WHERE, `${facts.login} has no right too many`)]),
    ...(days < PASSWORD_DAYS_MIN
      ? [
          warning(
            "login_password_ends",
            WHERE,
            `the password of ${facts.login} ends in ${Math.floor(days)} days`,
            "alter role ... valid until",
          ),
        ]
      : []),
  ];
}

/** A root key that is not this database's is as good as none: no secret that was issued before is recognized. */
function keyFindings({ signingKeys }: DatabaseFacts, rootKeys: KeyRing | undefined): Finding[] {
  if (rootKeys === undefined || signingKeys.length === 0) return [];
  const sealing = deriveKeys(rootKeys).signingKey;
  const closed = signingKeys.filter((key) => typeof openSigningKey(key, sealing) === "string").length;
  if (closed === 0)
    return [ok("root_key_fits", "KEYTURN_ROOT_KEY", "opens every signing key of this database")];
  const all = closed === signingKeys.length;
  return [
    (all ? wrong : warning)(
      "root_key_foreign",
      "KEYTURN_ROOT_KEY",
      `opens ${all ? "none" : "not all"} of the ${signingKeys.length} signing keys of this database`,
      "add the root key that was used before, behind the current one",
    ),
  ];
}
