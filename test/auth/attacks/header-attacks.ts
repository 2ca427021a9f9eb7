import { type Attack, headerOf, withHeader, withHeaderText } from "./forge.ts";

export const headerAttacks: readonly Attack[] = [
  ["crit empty", "malformed", withHeader({ crit: [] })],
  ["crit of a known claim", "malformed", withHeader({ crit: ["exp"], exp: 1 })],
  ["crit null", "malformed", withHeader({ crit: null })],
  ["b64 false", "malformed", withHeader({ b64: false })],
  ["b64 false and critical", "malformed", withHeader({ b64: false, crit: ["b64"] })],
  ["b64 true", "malformed", withHeader({ b64: true })],
  ...["", "JWE", "at+jwt ", "application/jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", "id_token"].map(
    (typ): Attack => [`typ ${JSON.stringify(typ)}`, "type", withHeader({ typ })],
  ),
  ["typ null", "type", withHeader({ typ: null })],
  ["typ a number", "type", withHeader({ typ: 1 })],
  ["typ a list", "type", withHeader({ typ: ["JWT"] })],
  [
    "alg twice in the header",
    "malformed",
    withHeaderText((target) => headerOf(target).replace("{", '{"alg":"none",')),
  ],
  [
    "alg twice, once escaped",
    "malformed",
    withHeaderText((target) => headerOf(target).replace("{", '{"\\u0061lg":"none",')),
  ],
  [
    "kid twice in the header",
    "malformed",
    withHeaderText((target) => headerOf(target).replace("{", '{"kid":"x",')),
  ],
  ["header null", "malformed", withHeaderText(() => "null")],
  ["header a list", "malformed", withHeaderText((target) => `[${headerOf(target)}]`)],
  ["header a string", "malformed", withHeaderText((target) => JSON.stringify(headerOf(target)))],
  ["header not JSON", "malformed", withHeaderText(() => "alg=ES256")],
  ["header with a byte order mark", "malformed", withHeaderText((target) => `\ufeff${headerOf(target)}`)],
];
