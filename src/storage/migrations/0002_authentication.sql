CREATE TABLE "keyturn"."revoked_tokens" (
	"organization_id" text NOT NULL,
	"jti" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "revoked_tokens_pk" PRIMARY KEY("organization_id","jti")
);
--> statement-breakpoint
CREATE TABLE "keyturn"."signing_keys" (
	"kid" text PRIMARY KEY NOT NULL,
	"public_jwk" jsonb NOT NULL,
	"sealed_private_key" "bytea" NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"signs_from" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
DROP INDEX "keyturn"."credentials_of_organization_by_expiry";--> statement-breakpoint
ALTER TABLE "keyturn"."credential_usage" ALTER COLUMN "last_used_at" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."credential_usage" ADD COLUMN "last_used_user_agent" text;--> statement-breakpoint
ALTER TABLE "keyturn"."credential_usage" ADD COLUMN "use_count" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."credential_usage" ADD COLUMN "last_refused_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "keyturn"."credential_usage" ADD COLUMN "last_refused_reason" text;--> statement-breakpoint
ALTER TABLE "keyturn"."credential_usage" ADD COLUMN "last_refused_ip" "inet";--> statement-breakpoint
ALTER TABLE "keyturn"."credential_usage" ADD COLUMN "last_refused_user_agent" text;--> statement-breakpoint
ALTER TABLE "keyturn"."credential_usage" ADD COLUMN "refused_count" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "keyturn"."credentials" ADD COLUMN "allowed_cidrs" "cidr"[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
CREATE INDEX "revoked_tokens_by_expiry" ON "keyturn"."revoked_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "signing_keys_by_beginning" ON "keyturn"."signing_keys" USING btree ("signs_from");--> statement-breakpoint
CREATE INDEX "credentials_by_expiry_alone" ON "keyturn"."credentials" USING btree ("expires_at") WHERE "keyturn"."credentials"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "credentials_by_id" ON "keyturn"."credentials" USING btree ("id");--> statement-breakpoint
ALTER TYPE "keyturn"."new_credential" ADD ATTRIBUTE "allowed_cidrs" "cidr"[];--> statement-breakpoint
ALTER TYPE "keyturn"."credential_state" ADD ATTRIBUTE "allowed_cidrs" jsonb, ADD ATTRIBUTE "last_used_user_agent" text, ADD ATTRIBUTE "use_count" bigint;
