/**
 * Writes the descriptor set that Envoy's gRPC-JSON transcoder reads: our protos with their HTTP annotations, and the types of
 * error details, which Envoy prints only when it knows them. Part of `npm run generate`. With `--check` it writes
 * nothing and ends with 1 when the one that is there is not current.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const PATH = "deploy/envoy/keyturn.binpb";
const SOURCES = ["proto/keyturn", "node_modules/google-proto-files/google/rpc/error_details.proto"];

const paths = SOURCES.flatMap((source) => ["--path", source]);
const args = ["build", ".", ...paths, "--as-file-descriptor-set", "--exclude-source-info", "-o", "-"];
const { status, stdout, stderr } = spawnSync("buf", args);
if (status !== 0) throw new Error(stderr.toString());

if (!process.argv.includes("--check")) writeFileSync(PATH, stdout);
else if (!stdout.equals(readFileSync(PATH))) {
  process.stdout.write(`${PATH} is not what the protos say: npm run generate\n`);
  process.exitCode = 1;
}
