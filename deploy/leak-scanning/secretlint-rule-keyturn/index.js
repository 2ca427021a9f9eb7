import { crc32 } from "node:zlib";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM_CHARS = 6;
const PREFIX = /^[a-z][a-z0-9]{1,15}$/;

const messages = {
  FOUND: {
    en: () =>
      "found a client secret of Keyturn; whoever holds it may turn it in: keyturn credential report-leak",
  },
};

/**
 * A rule of secretlint: it reports what has the form of a client secret and its checksum, so that look-alikes, cut ones
 * and those of documentation are not reported.
 *
 * Options: `prefix`, what KEYTURN_SECRET_PREFIX says; default: `plt`.
 */
export const creator = {
  messages,
  meta: {
    id: "secretlint-rule-keyturn",
    recommended: false,
    type: "scanner",
    supportedContentTypes: ["text"],
  },
  create(context, options = {}) {
    const t = context.createTranslator(messages);
    const { prefix = "plt" } = options;
    if (!PREFIX.test(prefix)) throw new TypeError("prefix must be the one that the service has");
    const pattern = new RegExp(`${prefix}_cs_cred-[0-9a-hjkmnp-tv-z]{20}_[0-9A-Za-z]{60}\\b`, "g");
    return {
      file(source) {
        for (const match of source.content.matchAll(pattern)) {
          const [secret] = match;
          if (!isWhole(secret)) continue;
          const range = [match.index, match.index + secret.length];
          context.report({ message: t("FOUND"), range });
        }
      },
    };
  },
};

/** Whether the last six characters are the CRC32 of what stands before them, in base62. */
function isWhole(secret) {
  let rest = crc32(secret.slice(0, -CHECKSUM_CHARS));
  let digits = "";
  while (digits.length < CHECKSUM_CHARS) {
    digits = BASE62[rest % 62] + digits;
    rest = Math.floor(rest / 62);
  }
  return secret.endsWith(digits);
}
