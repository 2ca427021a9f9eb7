import { z } from "zod";
import { variable } from "./config-variable.ts";
import { SAMPLERS, type TracingSettings } from "./observability/tracing-settings.ts";

const endpoint = z
  .string()
  .refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ""), "must be an http or https URL")
  .optional();

/** `key=value`, separated by commas, percent-encoded, as OpenTelemetry has it. */
const attributes = z
  .string()
  .transform((text) => text.split(",").map((pair) => pair.split("=", 2).map((part) => part.trim())))
  .refine(
    (pairs) => pairs.every(([key = "", value]) => key !== "" && value !== undefined && isEncoded(value)),
    "must hold pairs such as key=value, separated by commas",
  )
  .transform((pairs) =>
    Object.fromEntries(pairs.map(([key = "", value = ""]) => [key, decodeURIComponent(value)])),
  )
  .default({});

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Those of OpenTelemetry, by its own names. What is not here and concerns the way to the collector, its exporter reads itself. */
export const tracingVariables = () => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(endpoint, {
    meaning:
      "collector of traces, which takes OTLP over HTTP, without `/v1/traces`. Absent: there are no traces",
    form: "URL",
  }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: variable(endpoint, {
    meaning: "the same as a whole URL, for traces alone",
    form: "URL",
  }),
  OTEL_EXPORTER_OTLP_PROTOCOL: variable(
    z
      .enum(["http/json", "http/protobuf"], "must be http/json or http/protobuf: nothing else is spoken")
      .optional(),
    {
      meaning: "JSON is sent either way; collectors take both at the same address",
      form: "word",
      bounds: "`http/json`, `http/protobuf`",
      standard: "`http/json`",
    },
  ),
  OTEL_SDK_DISABLED: variable(
    z.stringbool({ truthy: ["true"], falsy: ["false"], error: "must be true or false" }).default(false),
    {
      meaning: "no traces, whatever else is set",
      form: "word",
      bounds: "`true`, `false`",
    },
  ),
  OTEL_SERVICE_NAME: variable(z.string().optional(), {
    meaning: "name of this service in traces",
    standard: "`service.name` of `OTEL_RESOURCE_ATTRIBUTES`, or `keyturn`",
  }),
  OTEL_RESOURCE_ATTRIBUTES: variable(attributes, {
    meaning: "more about this server in traces, such as `deployment.environment.name=production`",
    form: "list of `key=value`",
    standard: "none",
  }),
  OTEL_TRACES_SAMPLER: variable(
    z.enum(SAMPLERS, "must be a sampler such as parentbased_traceidratio").default("parentbased_always_on"),
    {
      meaning:
        "which traces are kept; by those that begin with `parentbased_`, callers who send a `traceparent` decide for theirs",
      form: "word",
      bounds: SAMPLERS.map((sampler) => `\`${sampler}\``).join(", "),
    },
  ),
  OTEL_TRACES_SAMPLER_ARG: variable(
    z
      .string()
      .regex(/^(0(\.\d+)?|1(\.0+)?)$/, "must be a share from 0 to 1")
      .transform(Number)
      .default(1),
    { meaning: "share of the traces that the `traceidratio` samplers keep", form: "number", bounds: "0–1" },
  ),
});

type Settings = z.output<z.ZodObject<ReturnType<typeof tracingVariables>>>;

/** Undefined where no traces are wanted. */
export function tracingOf(settings: Settings): TracingSettings | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_RESOURCE_ATTRIBUTES: resourceAttributes } = settings;
  const url = settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? (base && `${base.replace(/\/$/, "")}/v1/traces`);
  if (url === undefined || settings.OTEL_SDK_DISABLED) return undefined;
  return Object.freeze({
    url,
    serviceName: settings.OTEL_SERVICE_NAME ?? resourceAttributes["service.name"] ?? "keyturn",
    resourceAttributes: Object.freeze(resourceAttributes),
    sampler: settings.OTEL_TRACES_SAMPLER,
    samplerRatio: settings.OTEL_TRACES_SAMPLER_ARG,
  });
}
