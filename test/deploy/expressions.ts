import { readFileSync } from "node:fs";
import { parse } from "yaml";

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}
interface Dashboard {
  readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
}
interface Adapter {
  readonly rules: {
    readonly custom: readonly { readonly seriesQuery: string; readonly metricsQuery: string }[];
  };
}

export const alerts = (parse(readFileSync("deploy/prometheus/rules.yaml", "utf8")) as Rules).groups.flatMap(
  ({ rules }) => rules,
);

const dashboard = JSON.parse(readFileSync("deploy/grafana/keyturn.json", "utf8")) as Dashboard;
export const panels = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

const adapter = parse(readFileSync("deploy/prometheus/adapter.yaml", "utf8")) as Adapter;
export const adapterRules = adapter.rules.custom;

/** What stands before braces or a range, with the labels that it is selected by. Prometheus makes `up` itself. */
export function selectorsIn(
  expr: string,
): { readonly metric: string; readonly labels: Readonly<Record<string, string>> }[] {
  const found = expr.matchAll(/\b([a-z]+_[a-z0-9_]+)\b(?:\{([^}]*)\})?(?!\()/g);
  return [...found]
    .filter(([, name = ""]) => /^(keyturn|nodejs|process)_/.test(name))
    .map(([, metric = "", matchers = ""]) => ({
      metric,
      labels: Object.fromEntries(
        [...matchers.matchAll(/([a-z_]+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"/g)].map(([, name, words]) => [
          name,
          words,
        ]),
      ),
    }));
}
