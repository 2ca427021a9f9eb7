CREATE SCHEMA IF NOT EXISTS "keyturn";
--> statement-breakpoint
CREATE TABLE "keyturn"."audit_events" (
	"organization_id" text NOT NULL,
	"service_account_uid" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	"occurred_at" timestamp (3) with time zone NOT NULL,
	"action" text NOT NULL,
	"outcome" text NOT NULL,
	"service_account_id" text NOT NULL,
	"credential_id" text,
	"actor_issuer" text NOT NULL,
	"actor_subject" text NOT NULL,
	"client_address" "inet",
	"request_id" text NOT NULL,
	"previous_hash" "bytea" NOT NULL,
	"hash" "bytea" NOT NULL,
	CONSTRAINT "audit_events_pk" PRIMARY KEY("organization_id","service_account_uid","sequence")
);
--> statement-breakpoint
CREATE TABLE "keyturn"."credential_usage" (
	"organization_id" text NOT NULL,
	"service_account_id" text NOT NULL,
	"credential_id" text NOT NULL,
	"last_used_at" timestamp (3) with time zone NOT NULL,
	"last_used_ip" "inet",
	CONSTRAINT "credential_usage_pk" PRIMARY KEY("organization_id","service_account_id","credential_id")
);
--> statement-breakpoint
CREATE TABLE "keyturn"."credentials" (
	"organization_id" text NOT NULL,
	"service_account_id" text NOT NULL,
	"id" text NOT NULL,
	"uid" uuid DEFAULT gen_random_uuid() NOT NULL,
	"secret_hash" text NOT NULL,
	"hint" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "credentials_pk" PRIMARY KEY("organization_id","service_account_id","id"),
	CONSTRAINT "credentials_expires_after_creation" CHECK ("keyturn"."credentials"."expires_at" > "keyturn"."credentials"."created_at")
);
--> statement-breakpoint
CREATE TABLE "keyturn"."organizations" (
	"id" text PRIMARY KEY NOT NULL,
	"uid" uuid DEFAULT gen_random_uuid() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"default_lifetime_seconds" integer,
	"min_lifetime_seconds" integer,
	"max_lifetime_seconds" integer,
	"active_credentials_max" integer,
	CONSTRAINT "organizations_lifetimes_ordered" CHECK ("keyturn"."organizations"."min_lifetime_seconds" <= "keyturn"."organizations"."max_lifetime_seconds"),
	CONSTRAINT "organizations_lifetimes_positive" CHECK ("keyturn"."organizations"."min_lifetime_seconds" >= 1),
	CONSTRAINT "organizations_active_max_positive" CHECK ("keyturn"."organizations"."active_credentials_max" >= 1)
);
--> statement-breakpoint
CREATE TABLE "keyturn"."service_accounts" (
	"organization_id" text NOT NULL,
	"id" text NOT NULL,
	"uid" uuid DEFAULT gen_random_uuid() NOT NULL,
	"display_name" text NOT NULL,
	"description" text,
	"scope" text DEFAULT 'organization' NOT NULL,
	"scope_id" text NOT NULL,
	"roles" text[] DEFAULT '{}' NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"audit_sequence" bigint DEFAULT 0 NOT NULL,
	"audit_hash" "bytea" DEFAULT '\x' NOT NULL,
	CONSTRAINT "service_accounts_pk" PRIMARY KEY("organization_id","id"),
	CONSTRAINT "service_accounts_uid_unique" UNIQUE("organization_id","uid"),
	CONSTRAINT "service_accounts_id_shape" CHECK ("keyturn"."service_accounts"."id" ~ '^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$'),
	CONSTRAINT "service_accounts_scope_known" CHECK ("keyturn"."service_accounts"."scope" in ('organization', 'project')),
	CONSTRAINT "service_accounts_status_known" CHECK ("keyturn"."service_accounts"."status" in ('active', 'disabled'))
);
--> statement-breakpoint
ALTER TABLE "keyturn"."credential_usage" ADD CONSTRAINT "credential_usage_credential_fk" FOREIGN KEY ("organization_id","service_account_id","credential_id") REFERENCES "keyturn"."credentials"("organization_id","service_account_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keyturn"."credentials" ADD CONSTRAINT "credentials_service_account_fk" FOREIGN KEY ("organization_id","service_account_id") REFERENCES "keyturn"."service_accounts"("organization_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keyturn"."service_accounts" ADD CONSTRAINT "service_accounts_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "keyturn"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_events_by_time" ON "keyturn"."audit_events" USING btree ("organization_id","occurred_at");--> statement-breakpoint
CREATE INDEX "credentials_by_expiry" ON "keyturn"."credentials" USING btree ("organization_id","service_account_id","expires_at");