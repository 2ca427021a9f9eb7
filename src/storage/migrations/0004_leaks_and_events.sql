CREATE TABLE "keyturn"."event_delivery" (
	"is_only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"wanted_until" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "event_delivery_is_one" CHECK ("keyturn"."event_delivery"."is_only")
);
--> statement-breakpoint
CREATE TABLE "keyturn"."events" (
	"organization_id" text NOT NULL,
	"service_account_uid" uuid NOT NULL,
	"sequence" bigint GENERATED ALWAYS AS IDENTITY (sequence name "keyturn"."events_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" uuid DEFAULT gen_random_uuid() NOT NULL,
	"type" text NOT NULL,
	"occurred_at" timestamp (3) with time zone NOT NULL,
	"service_account_id" text,
	"credential_id" text,
	"data" jsonb NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"due_at" timestamp (3) with time zone,
	CONSTRAINT "events_pk" PRIMARY KEY("organization_id","service_account_uid","sequence")
);
--> statement-breakpoint
CREATE TABLE "keyturn"."expiry_notices" (
	"days_left" integer PRIMARY KEY NOT NULL,
	"told_expires_at" timestamp (3) with time zone NOT NULL,
	"told_credential_id" text DEFAULT '' NOT NULL
);
--> statement-breakpoint
ALTER TABLE "keyturn"."credentials" ADD COLUMN "leaked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "keyturn"."credential_usage" ADD COLUMN "refused_told_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "events_due" ON "keyturn"."events" USING btree ("due_at") WHERE "keyturn"."events"."due_at" is not null;--> statement-breakpoint
CREATE INDEX "credentials_leaked" ON "keyturn"."credentials" USING btree ("organization_id","service_account_id","created_at") WHERE "keyturn"."credentials"."leaked_at" is not null and "keyturn"."credentials"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "credential_usage_untold" ON "keyturn"."credential_usage" USING btree ("last_refused_at") WHERE "keyturn"."credential_usage"."last_refused_at" > coalesce("keyturn"."credential_usage"."refused_told_at", '-infinity');--> statement-breakpoint
ALTER TABLE "keyturn"."events" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);