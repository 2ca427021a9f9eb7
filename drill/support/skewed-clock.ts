/**
 * Loaded into a server before anything else: its clock is wrong by what KEYTURN_DRILL_CLOCK_MS says, a list of which each
 * SIGUSR2 takes the next. What measures durations goes on as before.
 */
const offsetsMs = (process.env["KEYTURN_DRILL_CLOCK_MS"] ?? "0").split(",").map(Number);
process.on("SIGUSR2", () => {
  if (offsetsMs.length > 1) offsetsMs.shift();
});

const { now } = Date;
const skewedNow = () => now() + (offsetsMs[0] ?? 0);
Date.now = skewedNow;
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [skewedNow()] : args, newTarget),
});
