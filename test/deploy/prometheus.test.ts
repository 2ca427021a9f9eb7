import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse, stringify } from "yaml";
import { scopeOf } from "../cli/keyturn-command.ts";
import { eventually } from "../support/eventually.ts";
import { givenIssued } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { givenFolder } from "./edge-process.ts";
import { adapterRules, alerts, panels, selectorsIn } from "./expressions.ts";
import { skipWithout, toolNamed } from "./tool.ts";

let h: TestKeyturn;
let exposed: string;
before(async () => {
  h = await givenKeyturn();
  await givenIssued(h);
  exposed = await eventually(async () => {
    const text = await (await fetch(`${h.adminUrl}/metrics`)).text();
    return text.includes("keyturn_credentials_expiring{") ? text : undefined;
  });
});
after(() => h.stop());

/** Labels that Prometheus adds to what it scrapes. */
const OF_THE_TARGET = ["job", "instance", "namespace", "pod"];

const families = () =>
  new Map([...exposed.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", kind]) => [name, kind]));

function assertExposed(expr: string): void {
  const known = families();
  const selectors = selectorsIn(expr);
  assert.ok(selectors.length > 0 || /\bup\b/.test(expr), expr);
  for (const { metric, labels } of selectors) {
    const histogram = metric.replace(/_(bucket|sum|count)$/, "");
    assert.ok(known.has(metric) || known.get(histogram) === "histogram", `${metric} is not exposed`);
    const [series = ""] = new RegExp(`^${metric}(\\{.*\\})? `, "m").exec(exposed) ?? [];
    for (const label of Object.keys(labels).filter((name) => !OF_THE_TARGET.includes(name)))
      assert.ok(series.includes(`${label}="`) || series === "", `${metric} has no ${label}`);
  }
}

test("a running server exposes every metric that an alert, the dashboard and the autoscaler look at", () => {
  for (const { expr } of alerts) assertExposed(expr);
  for (const expr of panels) assertExposed(expr);
  const { metric } = parse(readFileSync("deploy/kubernetes/base/autoscaling.yaml", "utf8")).spec.metrics[0]
    .pods;
  assert.ok(families().has(metric.name), metric.name);
  const [rule] = adapterRules;
  assert.equal(rule?.seriesQuery.startsWith(`${metric.name}_sum{`), true);
  assertExposed(rule?.metricsQuery.replaceAll(/<<.*?>>/g, "") ?? "");
});

test("an alert looks at outcomes and codes that there are", () => {
  const words = (label: string) =>
    alerts.flatMap(({ expr }) => selectorsIn(expr).flatMap(({ labels }) => labels[label]?.split("|") ?? []));
  const source =
    readFileSync("src/domain/principal.ts", "utf8") +
    readFileSync("src/service/check-secret.ts", "utf8") +
    readFileSync("src/observability/metrics.ts", "utf8");
  for (const outcome of words("outcome")) assert.ok(source.includes(`"${outcome}"`), outcome);
  const codes = ["INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN"];
  assert.deepEqual([...new Set(words("code"))], codes);
});

test("each alert that names a chapter of the runbook names one that is there", () => {
  const runbook = readFileSync("docs/runbook.md", "utf8");
  const anchors = [...runbook.matchAll(/^##+ (.*)$/gm)].map(([, title = ""]) =>
    title.toLowerCase().replaceAll(" ", "-"),
  );
  const named = [...readFileSync("deploy/prometheus/rules.yaml", "utf8").matchAll(/runbook\.md#(\S+)/g)];
  assert.ok(named.length > 5);
  for (const [, anchor = ""] of named) assert.ok(anchors.includes(anchor), anchor);
});

const promtool = (...args: string[]) => spawnSync(toolNamed("promtool") ?? "", args, { encoding: "utf8" });

test("promtool takes the rules and what they do in its own tests", { skip: skipWithout("promtool") }, () => {
  for (const args of [
    ["check", "rules", "deploy/prometheus/rules.yaml"],
    ["test", "rules", "deploy/prometheus/rules.test.yaml"],
  ]) {
    const { status, stdout, stderr } = promtool(...args);
    assert.equal(status, 0, stdout + stderr);
  }
});

test("promtool takes every expression of the dashboard and of the adapter", {
  skip: skipWithout("promtool"),
}, (t) => {
  const grafana = panels.map((expr) => expr.replaceAll("$__rate_interval", "5m"));
  const adapted = adapterRules.map(({ metricsQuery }) =>
    metricsQuery.replaceAll("<<.GroupBy>>", "pod").replaceAll("<<.LabelMatchers>>", 'pod="a"'),
  );
  const rules = [...grafana, ...adapted].map((expr, index) => ({ record: `r${index}`, expr }));
  const file = join(givenFolder(scopeOf(t)), "rules.yaml");
  writeFileSync(file, stringify({ groups: [{ name: "g", rules }] }));
  const { status, stdout, stderr } = promtool("check", "rules", "--lint=none", file);
  assert.equal(status, 0, stdout + stderr);
});
