import { z } from "zod";
import { type Env, lifetime, unreadable } from "./config-values.ts";
import { variable } from "./config-variable.ts";
import type { TlsFiles } from "./door/tls.ts";
import { assertUsable, type TlsMaterial } from "./door/tls-material.ts";

export type DoorName = "GRPC" | "HTTP" | "ADMIN";

const RELOAD_SECONDS = 10;

const file = (meaning: string) =>
  variable(z.string().optional(), { meaning, form: "path", standard: "none" });

const doorTlsVariables = <D extends DoorName>(door: D, name: string) => {
  const of = <S extends string, T extends z.ZodType>(suffix: S, type: T) =>
    ({ [`KEYTURN_${door}_${suffix}`]: type }) as Record<`KEYTURN_${D}_${S}`, T>;
  return {
    ...of(
      "CERT_FILE",
      file(`certificate of the ${name} door, in PEM, with those between it and its root; absent: no TLS`),
    ),
    ...of("KEY_FILE", file("its key, in PEM")),
    ...of(
      "CLIENT_CA_FILE",
      file("roots of the certificates that clients show, in PEM; absent: they are asked for none"),
    ),
    ...of(
      "CLIENT_CERTIFICATE",
      variable(z.enum(["required", "optional"], "must be required or optional").optional(), {
        meaning:
          "whether a client without a certificate is refused the connection, where there is a client CA",
        form: "word",
        bounds: "`required`, `optional`",
        standard: "`required`",
      }),
    ),
  };
};

/** The certificates of each door. */
export const tlsVariables = () => ({
  ...doorTlsVariables("GRPC", "gRPC"),
  ...doorTlsVariables("HTTP", "HTTP"),
  ...doorTlsVariables("ADMIN", "admin"),
  KEYTURN_CERTIFICATE_RELOAD: variable(lifetime(RELOAD_SECONDS), {
    meaning: "how often the files of certificates are looked at for new ones",
  }),
});

/** TLS of each door; undefined: in clear. */
export interface TlsConfig {
  readonly grpc: TlsFiles | undefined;
  readonly http: TlsFiles | undefined;
  readonly admin: TlsFiles | undefined;
}

const DOORS: readonly DoorName[] = ["GRPC", "HTTP", "ADMIN"];

export function tlsConfigOf(env: Env): TlsConfig {
  return Object.freeze({
    grpc: filesOf(env, "GRPC"),
    http: filesOf(env, "HTTP"),
    admin: filesOf(env, "ADMIN"),
  });
}

function filesOf(env: Env, door: DoorName): TlsFiles | undefined {
  const certFile = env[`KEYTURN_${door}_CERT_FILE`];
  const keyFile = env[`KEYTURN_${door}_KEY_FILE`];
  if (certFile === undefined || keyFile === undefined) return undefined;
  return Object.freeze({
    certFile,
    keyFile,
    clientCaFile: env[`KEYTURN_${door}_CLIENT_CA_FILE`],
    clientCertificateRequired: env[`KEYTURN_${door}_CLIENT_CERTIFICATE`] !== "optional",
  });
}

/** What is wrong with the files of each door, and with what is said of them. */
export function tlsMistakes(env: Env, readFile: (path: string) => string): string[] {
  return DOORS.flatMap((door) => doorMistakes(env, door, readFile));
}

function doorMistakes(env: Env, door: DoorName, readFile: (path: string) => string): string[] {
  const name = (suffix: string) => `KEYTURN_${door}_${suffix}`;
  const is = (suffix: string) => env[name(suffix)] !== undefined;
  if (is("CERT_FILE") !== is("KEY_FILE"))
    return [`${name("CERT_FILE")} and ${name("KEY_FILE")} must both be set, or neither`];
  if (is("CLIENT_CA_FILE") && !is("CERT_FILE"))
    return [`${name("CLIENT_CA_FILE")} needs ${name("CERT_FILE")}: without TLS nobody shows a certificate`];
  if (is("CLIENT_CERTIFICATE") && !is("CLIENT_CA_FILE"))
    return [`${name("CLIENT_CERTIFICATE")} needs ${name("CLIENT_CA_FILE")}`];
  const texts = ["CERT_FILE", "KEY_FILE", "CLIENT_CA_FILE"].filter(is).map((suffix) => {
    try {
      return readFile(env[name(suffix)] ?? "");
    } catch (err) {
      return { problem: unreadable(name(suffix), err) };
    }
  });
  const unread = texts.flatMap((text) => (typeof text === "string" ? [] : text.problem));
  return unread.length > 0
    ? unread
    : unfitMistakes(
        texts.filter((text) => typeof text === "string"),
        name,
      );
}

function unfitMistakes([cert, key, ca]: readonly string[], name: (suffix: string) => string): string[] {
  if (cert === undefined || key === undefined) return [];
  const fits = (material: TlsMaterial) => {
    try {
      return assertUsable(material) !== undefined;
    } catch {
      return false;
    }
  };
  if (!fits({ cert, key, ca: undefined }))
    return [`${name("CERT_FILE")} and ${name("KEY_FILE")} must hold a certificate and its key, in PEM`];
  return ca === undefined || fits({ cert, key, ca })
    ? []
    : [`${name("CLIENT_CA_FILE")} must hold certificates, in PEM`];
}
