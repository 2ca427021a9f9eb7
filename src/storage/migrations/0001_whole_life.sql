DROP FUNCTION IF EXISTS "keyturn"."create_credential", "keyturn"."append_audit_event", "keyturn"."audit_event_hash", "keyturn"."effective_policy", "keyturn"."safest_to_delete";--> statement-breakpoint
CREATE TYPE "keyturn"."caller" AS ("organization_id" text, "issuer" text, "subject" text, "grantable_roles" text[], "client_address" "inet", "request_id" text, "budget_ms" integer, "validate_only" boolean);--> statement-breakpoint
CREATE TYPE "keyturn"."policy_bounds" AS ("default_lifetime_seconds" integer, "min_lifetime_seconds" integer, "max_lifetime_seconds" integer, "active_credentials_max" integer);--> statement-breakpoint
CREATE TYPE "keyturn"."new_credential" AS ("id" text, "secret_hash" text, "hint" text, "expires_at" timestamp with time zone, "not_before" timestamp with time zone, "display_name" text, "labels" jsonb);--> statement-breakpoint
CREATE TYPE "keyturn"."replay_claim" AS ("request_hash" "bytea", "body_hash" "bytea", "sealed_secret" "bytea");--> statement-breakpoint
CREATE TYPE "keyturn"."credential_state" AS ("id" text, "uid" uuid, "service_account_id" text, "service_account_uid" uuid, "status" text, "expires_at" timestamp (3) with time zone, "created_by" text, "created_at" timestamp (3) with time zone, "last_used_at" timestamp (3) with time zone, "last_used_ip" "inet", "display_name" text, "labels" jsonb, "not_before" timestamp (3) with time zone, "hint" text, "etag" text, "is_live" boolean);--> statement-breakpoint
CREATE TYPE "keyturn"."service_account_state" AS ("id" text, "uid" uuid, "display_name" text, "description" text, "client_id" text, "scope" text, "scope_id" text, "roles" jsonb, "status" text, "created_by" text, "created_at" timestamp (3) with time zone, "updated_at" timestamp (3) with time zone, "active_credential_count" bigint, "etag" text, "credentials_revoked_before" timestamp with time zone);--> statement-breakpoint
CREATE TABLE "keyturn"."audit_chains" (
	"organization_id" text NOT NULL,
	"service_account_uid" uuid NOT NULL,
	"sequence" bigint DEFAULT 0 NOT NULL,
	"hash" "bytea" DEFAULT '\x' NOT NULL,
	CONSTRAINT "audit_chains_pk" PRIMARY KEY("organization_id","service_account_uid")
);
--> statement-breakpoint
CREATE TABLE "keyturn"."replays" (
	"organization_id" text NOT NULL,
	"request_hash" "bytea" NOT NULL,
	"body_hash" "bytea" NOT NULL,
	"service_account_id" text NOT NULL,
	"credential_id" text NOT NULL,
	"replaced_credential_id" text,
	"sealed_secret" "bytea",
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "replays_pk" PRIMARY KEY("organization_id","request_hash")
);
--> statement-breakpoint
ALTER TABLE "keyturn"."credentials" DROP CONSTRAINT "credentials_expires_after_creation";--> statement-breakpoint
DROP INDEX "keyturn"."audit_events_by_time";--> statement-breakpoint
DROP INDEX "keyturn"."credentials_by_expiry";--> statement-breakpoint
ALTER TABLE "keyturn"."audit_events" ALTER COLUMN "service_account_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."audit_events" ADD COLUMN "details" jsonb;--> statement-breakpoint
ALTER TABLE "keyturn"."audit_events" ADD COLUMN "transaction_id" "xid8" DEFAULT pg_current_xact_id() NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."credentials" ADD COLUMN "display_name" text;--> statement-breakpoint
ALTER TABLE "keyturn"."credentials" ADD COLUMN "labels" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."credentials" ADD COLUMN "not_before" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "keyturn"."credentials" ADD COLUMN "deleted_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "keyturn"."organizations" ADD COLUMN "credential_creation" text DEFAULT 'allowed' NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."organizations" ADD COLUMN "policy_revision" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."organizations" ADD COLUMN "policy_updated_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "keyturn"."organizations" ADD COLUMN "status" text DEFAULT 'active' NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."organizations" ADD COLUMN "credentials_revoked_before" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "keyturn"."organizations" ADD COLUMN "revocation_exemptions" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."service_accounts" ADD COLUMN "revision" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."service_accounts" ADD COLUMN "credentials_revoked_before" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "keyturn"."replays" ADD CONSTRAINT "replays_service_account_fk" FOREIGN KEY ("organization_id","service_account_id") REFERENCES "keyturn"."service_accounts"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "replays_by_account" ON "keyturn"."replays" USING btree ("organization_id","service_account_id");--> statement-breakpoint
CREATE INDEX "replays_by_age" ON "keyturn"."replays" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "audit_events_of_account_by_time" ON "keyturn"."audit_events" USING btree ("organization_id","service_account_id","occurred_at","service_account_uid","sequence");--> statement-breakpoint
CREATE INDEX "credentials_by_creation" ON "keyturn"."credentials" USING btree ("organization_id","service_account_id","created_at","id") WHERE "keyturn"."credentials"."deleted_at" is null and "keyturn"."credentials"."created_at" > '-infinity';--> statement-breakpoint
CREATE INDEX "credentials_of_organization_by_expiry" ON "keyturn"."credentials" USING btree ("organization_id","expires_at") WHERE "keyturn"."credentials"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "credentials_by_deletion" ON "keyturn"."credentials" USING btree ("deleted_at") WHERE "keyturn"."credentials"."deleted_at" is not null;--> statement-breakpoint
CREATE INDEX "service_accounts_by_creation" ON "keyturn"."service_accounts" USING btree ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "audit_events_by_time" ON "keyturn"."audit_events" USING btree ("organization_id","occurred_at","service_account_uid","sequence");--> statement-breakpoint
CREATE INDEX "credentials_by_expiry" ON "keyturn"."credentials" USING btree ("organization_id","service_account_id","expires_at") WHERE "keyturn"."credentials"."deleted_at" is null;--> statement-breakpoint
INSERT INTO "keyturn"."audit_chains" SELECT "organization_id", "uid", "audit_sequence", "audit_hash" FROM "keyturn"."service_accounts" WHERE "audit_sequence" > 0;--> statement-breakpoint
INSERT INTO "keyturn"."audit_chains" SELECT DISTINCT ON ("organization_id", "service_account_uid") "organization_id", "service_account_uid", "sequence", "hash" FROM "keyturn"."audit_events" e WHERE NOT EXISTS (SELECT FROM "keyturn"."service_accounts" a WHERE a."organization_id" = e."organization_id" AND a."uid" = e."service_account_uid") ORDER BY "organization_id", "service_account_uid", "sequence" DESC;--> statement-breakpoint
ALTER TABLE "keyturn"."service_accounts" DROP COLUMN "audit_sequence";--> statement-breakpoint
ALTER TABLE "keyturn"."service_accounts" DROP COLUMN "audit_hash";--> statement-breakpoint
ALTER TABLE "keyturn"."organizations" ADD CONSTRAINT "organizations_creation_known" CHECK ("keyturn"."organizations"."credential_creation" in ('allowed', 'denied'));--> statement-breakpoint
ALTER TABLE "keyturn"."organizations" ADD CONSTRAINT "organizations_status_known" CHECK ("keyturn"."organizations"."status" in ('active', 'suspended', 'deleted'));--> statement-breakpoint
CREATE STATISTICS "keyturn"."credentials_of_account" (ndistinct, dependencies) ON "organization_id", "service_account_id" FROM "keyturn"."credentials";