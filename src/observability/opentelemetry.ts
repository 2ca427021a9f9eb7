import { createRequire } from "node:module";
import type { SpanKind } from "../domain/span.ts";
import type { TracingSettings } from "./tracing-settings.ts";

type Sdk = typeof import("@opentelemetry/sdk-trace");
type Exporter = typeof import("@opentelemetry/exporter-trace-otlp-http");
type SpanExporter = InstanceType<Exporter["OTLPTraceExporter"]>;
type Tracer = ReturnType<InstanceType<Sdk["TracerProvider"]>["getTracer"]>;
type SdkContext = NonNullable<Parameters<Tracer["startSpan"]>[2]>;
type SpanContext = ReturnType<ReturnType<Tracer["startSpan"]>["spanContext"]>;
type Resource = NonNullable<NonNullable<ConstructorParameters<Sdk["TracerProvider"]>[0]>["resource"]>;

/** Of the SDK's two own packages, what it takes to tell it who we are and which span stands above another. */
interface ApiPackage {
  readonly ROOT_CONTEXT: SdkContext;
  readonly trace: { setSpanContext(context: SdkContext, span: SpanContext): SdkContext };
}
interface ResourcesPackage {
  defaultResource(): Resource;
  resourceFromAttributes(attributes: Readonly<Record<string, string>>): Resource;
}

/** OpenTelemetry's numbers: `SpanKind` and `SpanStatusCode`. */
const KINDS: Readonly<Record<SpanKind, number>> = { internal: 0, server: 1, client: 2 };
const ERROR = 2;

/**
 * The one place that loads OpenTelemetry. Two packages are ours; those that they themselves need are taken from where they
 * find them, so that it is the same copy.
 */
export function loadOpenTelemetry(
  settings: TracingSettings,
  version: string,
  onSent: (spans: number, isSuccess: boolean) => void,
) {
  const require = createRequire(import.meta.url);
  const sdk: Sdk = require("@opentelemetry/sdk-trace");
  const { OTLPTraceExporter }: Exporter = require("@opentelemetry/exporter-trace-otlp-http");
  const requireOfSdk = createRequire(require.resolve("@opentelemetry/sdk-trace"));
  const { trace, ROOT_CONTEXT }: ApiPackage = requireOfSdk("@opentelemetry/api");
  const { defaultResource, resourceFromAttributes }: ResourcesPackage =
    requireOfSdk("@opentelemetry/resources");

  const resource = resourceFromAttributes({
    "service.version": version,
    ...settings.resourceAttributes,
    "service.name": settings.serviceName,
  });
  const exporter = watched(new OTLPTraceExporter({ url: settings.url }), onSent);
  const processor = new sdk.BatchSpanProcessor({ exporter });
  const provider = new sdk.TracerProvider({
    resource: defaultResource().merge(resource),
    sampler: samplerOf(sdk, settings),
    spanProcessors: [processor],
  });
  return {
    tracer: provider.getTracer("keyturn", version),
    contextOf: (parent: SpanContext | undefined) =>
      parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent),
    kinds: KINDS,
    ERROR,
    async shutdown(timeoutMs: number) {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, timeoutMs);
      await Promise.race([provider.shutdown().catch(() => {}), late.promise]);
      clearTimeout(timer);
    },
  };
}

/** The SDK keeps to itself what becomes of spans. */
function watched(
  exporter: SpanExporter,
  onSent: (spans: number, isSuccess: boolean) => void,
): Pick<SpanExporter, "export" | "shutdown" | "forceFlush"> {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        onSent(spans.length, result.code === 0);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
}

function samplerOf(sdk: Sdk, { sampler, samplerRatio }: TracingSettings) {
  const rootName = sampler.replace("parentbased_", "");
  const root =
    rootName === "always_off"
      ? new sdk.AlwaysOffSampler()
      : rootName === "traceidratio"
        ? new sdk.TraceIdRatioBasedSampler(samplerRatio)
        : new sdk.AlwaysOnSampler();
  return sampler === rootName ? root : new sdk.ParentBasedSampler({ root });
}
