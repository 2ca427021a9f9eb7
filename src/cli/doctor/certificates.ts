import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { PartialConfig } from "../../config-partial.ts";
import { type Finding, ok, warning, wrong } from "./finding.ts";
import { privateFileFindings } from "./private-file.ts";

type Env = Readonly<Record<string, string | undefined>>;

const DOORS = ["GRPC", "HTTP", "ADMIN"] as const;
const DAY_MS = 86_400_000;
const DAYS_LEFT_MIN = 14;
const LOOPBACK = /^(localhost|::1|\[::1\]|127(\.\d{1,3}){3})$/;

/** How long the doors' certificates hold, and who could have their keys. Whether the two fit is the configuration's to judge. */
export function examineCertificates(
  env: Env,
  { production, settings }: Pick<PartialConfig, "production" | "settings">,
  now: Date,
): Finding[] {
  return DOORS.flatMap((door) => {
    const [certFile, keyFile] = [env[`KEYTURN_${door}_CERT_FILE`], env[`KEYTURN_${door}_KEY_FILE`]];
    const isPublic = door !== "ADMIN" && !LOOPBACK.test(settings.KEYTURN_HOST ?? "127.0.0.1");
    return [
      ...(certFile ? certificateFindings(`KEYTURN_${door}_CERT_FILE`, certFile, now) : []),
      ...(keyFile ? privateFileFindings("tls_key", `KEYTURN_${door}_KEY_FILE`, keyFile) : []),
      ...(production && isPublic && !certFile ? [inClear(door, settings.KEYTURN_HOST ?? "")] : []),
    ];
  });
}

const inClear = (door: string, host: string): Finding =>
  warning(
    "door_in_clear",
    `KEYTURN_${door}_CERT_FILE`,
    `is absent, and ${host} can be reached from elsewhere: secrets and tokens go there in clear`,
    "give the door a certificate, or let a proxy or mesh in front of it have one",
  );

function certificateFindings(where: string, file: string, now: Date): Finding[] {
  const certificate = readCertificate(file);
  // What cannot be read at all is a mistake of the configuration, and named there.
  if (certificate === undefined) return [];
  const { validFromDate, validToDate } = certificate;
  const daysLeft = Math.floor((validToDate.getTime() - now.getTime()) / DAY_MS);
  const until = validToDate.toISOString();
  const todo = "renew it: servers take new files without a restart";
  if (now < validFromDate)
    return [
      wrong(
        "certificate_early",
        where,
        `holds from ${validFromDate.toISOString()} on only`,
        "check the clock",
      ),
    ];
  if (now >= validToDate) return [wrong("certificate_expired", where, `has expired at ${until}`, todo)];
  if (daysLeft < DAYS_LEFT_MIN)
    return [warning("certificate_expires", where, `expires at ${until}, in ${daysLeft} days`, todo)];
  return [ok("certificate", where, `holds until ${until}`)];
}

function readCertificate(file: string): X509Certificate | undefined {
  try {
    return new X509Certificate(readFileSync(file));
  } catch {
    return undefined;
  }
}
