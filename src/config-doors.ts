import { z } from "zod";
import { port, trustedProxies } from "./config-values.ts";
import { variable } from "./config-variable.ts";

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
  KEYTURN_TRUSTED_PROXIES: variable(trustedProxies, {
    meaning:
      "addresses and CIDRs of the proxies whose `X-Forwarded-For` is believed: the client is the right-most address there that is not one of them",
    form: "list",
    standard: "none",
  }),
  KEYTURN_REFLECTION: variable(
    z.enum(["on", "off"], "must be on or off").default(production ? "off" : "on"),
    { meaning: "gRPC server reflection", form: "word", bounds: "`on`, `off`" },
  ),
});
