/** The samplers of OpenTelemetry that there are here, by its own names. */
export const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
type SamplerName = (typeof SAMPLERS)[number];

export interface TracingSettings {
  /** Where spans are posted to, as OTLP in JSON. */
  readonly url: string;
  readonly serviceName: string;
  /** More of what is said of this server: `deployment.environment.name`. */
  readonly resourceAttributes: Readonly<Record<string, string>>;
  readonly sampler: SamplerName;
  /** Share of the traces that are kept, for the samplers that take one. */
  readonly samplerRatio: number;
}
