/**
 * Which of several hosts a connection is for, as options of the driver. Asked for `read-write`, the driver looks at
 * `default_transaction_read_only` alone, which is off on a standby too, and would stay with it: it is asked for the primary.
 */
export const sessionTarget = (url: string): { readonly target_session_attrs?: "primary" } =>
  /[?&]target_session_attrs=read-write(&|$)/.test(url) ? { target_session_attrs: "primary" } : {};
