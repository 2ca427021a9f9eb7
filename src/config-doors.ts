import { z } from "zod";
import { optionalPort, port, trustedProxies, whole } from "./config-values.ts";
import { form, variable } from "./config-variable.ts";

const DRAIN_GRACE_SECONDS_MAX = 120;

/** The time in which whoever sends calls here hears that he should not: 0 where nobody does but people. */
const drainGrace = (standardSeconds: number) =>
  z
    .string()
    .regex(/^\d{1,3}s$/, "must be a number of seconds such as 5s")
    .transform((text) => Number(text.slice(0, -1)))
    .refine((seconds) => seconds <= DRAIN_GRACE_SECONDS_MAX, `must be at most ${DRAIN_GRACE_SECONDS_MAX}s`)
    .default(standardSeconds);

const onOff = (standard: boolean) =>
  form(
    z
      .enum(["on", "off", "true", "false"], "must be on or off")
      .transform((word) => word === "on" || word === "true")
      .default(standard),
    { form: "word", bounds: "`on` or `true`, `off` or `false`", standard: standard ? "`on`" : "`off`" },
  );

/** Where callers and operators reach a server, and what they find there. */
export const doorVariables = (production: boolean) => ({
  KEYTURN_HOST: variable(z.string().default("127.0.0.1"), {
    meaning: "address of the gRPC and HTTP doors",
    form: "address",
  }),
  KEYTURN_ADMIN_HOST: variable(z.string().default("127.0.0.1"), {
    meaning: "address of the admin door, which has no authentication",
    form: "address",
  }),
  KEYTURN_GRPC_PORT: variable(port(50_051), { meaning: "port of the gRPC door" }),
  KEYTURN_HTTP_PORT: variable(port(8080), { meaning: "port of the HTTP door: REST, Connect, gRPC-Web" }),
  KEYTURN_ADMIN_PORT: variable(port(9090), { meaning: "port of the admin door" }),
  KEYTURN_CHANNELZ_PORT: variable(optionalPort(), {
    meaning:
      "port of `grpc.channelz.v1` at the address of the admin door; absent: no books are kept of connections",
  }),
  KEYTURN_WORKERS: variable(whole(1, 64, 1), {
    meaning:
      "processes that serve at the same ports; of use is one a core at most. Hash permits, ready secrets and connections are shared out among them. Not with `KEYTURN_CHANNELZ_PORT`",
  }),
  KEYTURN_TRUSTED_PROXIES: variable(trustedProxies, {
    meaning:
      "addresses and CIDRs of the proxies whose `X-Forwarded-For` is believed: the client is the right-most address there that is not one of them",
    form: "list",
    standard: "none",
  }),
  KEYTURN_API_REFERENCE: variable(onOff(!production), {
    meaning:
      "`/openapi.json` and the API reference at `/docs` of the HTTP door, for everybody who reaches it",
  }),
  KEYTURN_REFLECTION: variable(onOff(!production), { meaning: "gRPC server reflection, v1 and v1alpha" }),
  KEYTURN_DRAIN_GRACE: variable(drainGrace(production ? 5 : 0), {
    meaning:
      "how long a server that was told to end goes on to take calls, while it says by its health that it takes none: as long as those who send them need to hear it",
    form: "seconds",
    bounds: `0s–${DRAIN_GRACE_SECONDS_MAX}s`,
    standard: production ? "`5s`" : "`0s`",
  }),
});
