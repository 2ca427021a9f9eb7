import { type Finding, wrong } from "./finding.ts";

interface Words {
  readonly check: string;
  readonly what: string;
  readonly todo: string;
}

/** Why there was no connection, by the driver's or PostgreSQL's code. */
export function judgeFailure(code: string): Finding {
  const { check, what, todo } = FAILURES[code] ?? byClass(code);
  return wrong(check, "DATABASE_URL", `${what} (${code})`, todo);
}

const UNREACHABLE: Words = {
  check: "database_unreachable",
  what: "cannot be reached from here",
  todo: "check host, port, network and pg_hba.conf: psql it from this machine",
};

const FAILURES: Readonly<Record<string, Words>> = {
  ENOTFOUND: { check: "database_host", what: "its host has no address", todo: "check the name of the host" },
  EAI_AGAIN: { check: "database_host", what: "its host cannot be looked up", todo: "check DNS" },
  TIMEOUT: { ...UNREACHABLE, what: "does not answer in time" },
  "28P01": {
    check: "database_password",
    what: "refuses the password",
    todo: "check login and password, and that they are percent-encoded",
  },
  "28000": { check: "database_login", what: "refuses the login", todo: "check the login, and pg_hba.conf" },
  "3D000": {
    check: "database_missing",
    what: "has no database of this name",
    todo: "create database NAME owner keyturn_owner",
  },
  "42501": {
    check: "database_denied",
    what: "lets this login not in",
    todo: "grant connect on database NAME to the login",
  },
  "53300": {
    check: "database_connections",
    what: "has no connection left",
    todo: "raise max_connections, or lower KEYTURN_DATABASE_CONNECTIONS_MAX",
  },
  "57P03": { ...UNREACHABLE, what: "is starting or shutting down", todo: "wait, and look into its log" },
};

const byClass = (code: string): Words =>
  /CERT|SSL|TLS|SELF_SIGNED/.test(code)
    ? {
        check: "database_tls",
        what: "its certificate is not trusted here",
        todo: "check sslmode, and NODE_EXTRA_CA_CERTS",
      }
    : UNREACHABLE;
