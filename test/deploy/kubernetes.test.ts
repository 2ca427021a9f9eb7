import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { scopeOf } from "../cli/keyturn-command.ts";
import { readDockerfile } from "./dockerfile.ts";
import { givenFolder } from "./edge-process.ts";
import { assertServes } from "./given-variables.ts";
import { skipWithout, toolNamed } from "./tool.ts";

const skip = skipWithout("kustomize");

interface Built {
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: manifests of every kind
  readonly of: (kind: string) => any;
}

function build(folder: string): Built {
  const { status, stdout, stderr } = spawnSync(toolNamed("kustomize") ?? "", ["build", folder], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  const manifests = parseAllDocuments(stdout).map((document) => document.toJS());
  return { text: stdout, of: (kind) => manifests.find((manifest) => manifest.kind === kind) };
}

const OVERLAY = "deploy/kubernetes/overlays/production";

test("the manifests fit the schemas of Kubernetes", {
  skip: skip || skipWithout("kubernetes-validate"),
}, (t) => {
  for (const source of ["deploy/kubernetes/base", OVERLAY]) {
    const file = join(givenFolder(scopeOf(t)), "all.yaml");
    writeFileSync(file, build(source).text);
    const { status, stdout } = spawnSync(toolNamed("kubernetes-validate") ?? "", ["--strict", file], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout);
  }
});

test("every pod runs as nobody, on a root that is read-only, with no right of its own", { skip }, () => {
  const { of } = build(OVERLAY);
  const user = Number(readDockerfile().user.split(":")[0]);
  for (const { spec } of [of("Deployment").spec.template, of("Job").spec.template]) {
    assert.equal(spec.automountServiceAccountToken, false);
    assert.deepEqual([spec.securityContext.runAsNonRoot, spec.securityContext.runAsUser], [true, user]);
    for (const { securityContext, resources } of spec.containers) {
      assert.equal(securityContext.readOnlyRootFilesystem, true);
      assert.equal(securityContext.allowPrivilegeEscalation, false);
      assert.deepEqual(securityContext.capabilities.drop, ["ALL"]);
      assert.ok(resources.limits.memory);
    }
  }
});

test("ports, probes, services and the network policy name the same doors", { skip }, () => {
  const { of } = build(OVERLAY);
  const { spec } = of("Deployment").spec.template;
  const [{ ports, ...container }] = spec.containers;
  assert.deepEqual(
    ports.map(
      ({ name, containerPort }: { name: string; containerPort: number }) => `${name} ${containerPort}`,
    ),
    ["grpc 50051", "http 8080", "admin 9090"],
  );
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"])
    assert.equal(container[probe].httpGet.port, "admin");
  assert.deepEqual(of("PodDisruptionBudget").spec.selector, of("Deployment").spec.selector);
  assert.equal(of("HorizontalPodAutoscaler").spec.scaleTargetRef.name, of("Deployment").metadata.name);
});

test("more connections than PostgreSQL has by default are not asked for, a rollout included", {
  skip,
}, () => {
  const { of } = build(OVERLAY);
  const servers =
    of("HorizontalPodAutoscaler").spec.maxReplicas + of("Deployment").spec.strategy.rollingUpdate.maxSurge;
  assert.ok(servers * Number(of("ConfigMap").data.KEYTURN_DATABASE_CONNECTIONS_MAX) <= 97);
});

test("a pod is given the time that its drain takes", { skip }, () => {
  const { of } = build(OVERLAY);
  const graceSeconds = Number(of("ConfigMap").data.KEYTURN_DRAIN_GRACE.replace(/s$/, ""));
  assert.ok(of("Deployment").spec.template.spec.terminationGracePeriodSeconds > graceSeconds + 8);
});

test("a server starts on the variables of the overlay, and its probes are answered", { skip }, async (t) => {
  const { of } = build(OVERLAY);
  const [{ env, startupProbe, livenessProbe, readinessProbe }] =
    of("Deployment").spec.template.spec.containers;
  const named = env.map(({ name }: { name: string }) => name);
  const paths = [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path);
  await assertServes(scopeOf(t), { ...of("ConfigMap").data, ...readDockerfile().env }, named, paths);
});
