import { createMetrics, type MetricDescription } from "../../src/observability/metrics.ts";

/** docs/metrics.md: every metric of our own, as a server registers it. */
export function metricsReference(): string {
  const metrics = createMetrics();
  metrics.watch(NOTHING_TO_WATCH);
  metrics.watchEvents(() => undefined);
  const own = metrics.describe().filter(({ name }) => name.startsWith("keyturn_"));
  const rows = own.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(rowOf);
  return `${[INTRODUCTION, "", ...HEAD, ...rows].join("\n")}\n`;
}

/** It is asked for names, not for values. */
const NOTHING_TO_WATCH = new Proxy({} as Parameters<ReturnType<typeof createMetrics>["watch"]>[0], {
  get: () => "",
});

const INTRODUCTION = `# Metrics

Generated from \`src/observability\` by \`npm run generate\`.

At \`/metrics\` of the admin door, for Prometheus. A histogram has \`_bucket\`, \`_sum\` and \`_count\`. Beside these there are those of the client library on
the process and on Node (\`process_*\`, \`nodejs_*\`). No id, name or address of a tenant is in any label, and nothing that a caller can choose.`;

const HEAD = ["| metric | type | labels | what it counts or measures |", "| --- | --- | --- | --- |"];

const rowOf = ({ name, type, labels, help }: MetricDescription): string =>
  `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`;
