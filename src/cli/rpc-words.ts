/** Options that several commands have, with the words of their help. */

export const ETAG = { etag: "the etag that was read: refused when somebody else has changed it since" };

export const DRY_RUN = { validate_only: "run every check, say what would become of it, and write nothing" };

export const REPEATABLE = {
  request_id:
    "UUID (version 4) of the call: the same one again gets the same answer, secret included; default: a new one",
};
