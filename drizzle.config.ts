import { defineConfig } from "drizzle-kit";

/** `npx drizzle-kit generate` writes the next migration from the difference between the schema and the last one. */
export default defineConfig({
  dialect: "postgresql",
  schema: "./src/storage/*schema.ts",
  out: "./src/storage/migrations",
});
