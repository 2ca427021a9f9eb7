/** One line of the doctor's. */
export interface Finding {
  /** `wrong` must be mended before a server is fit; `warning` is for whoever means it otherwise. */
  readonly level: "ok" | "warning" | "wrong";
  /** What was looked at, in a word that stays the same: for programs. */
  readonly check: string;
  /** The variable, address or issuer. Never a value that could be secret. */
  readonly where: string;
  readonly what: string;
  /** What to do about it. */
  readonly todo?: string;
}

type Line = readonly [check: string, where: string, what: string, todo?: string];

const finding =
  (level: Finding["level"]) =>
  (...[check, where, what, todo]: Line): Finding => ({
    ...{ level, check, where, what },
    ...(todo === undefined ? {} : { todo }),
  });

export const ok = finding("ok");
export const warning = finding("warning");
export const wrong = finding("wrong");
