/** Prints what the argon2 that this process loads makes of known secrets, as `Hashes` in JSON. */
import { argon2d, argon2i, argon2id, hash } from "argon2";
import type { Hashes } from "./hashes.ts";

const SERVER_COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** Small and uneven sizes, several lanes and passes, and what the server hashes by. */
const COSTS = [
  { memoryCost: 8, timeCost: 1, parallelism: 1 },
  { memoryCost: 64, timeCost: 3, parallelism: 4 },
  { memoryCost: 1_031, timeCost: 2, parallelism: 3 },
  SERVER_COST,
];
const TYPES = [argon2d, argon2i, argon2id] as const;
const SECRETS = ["", "a", "plt_cs_cred-00000000000000000000_", "é".repeat(200)];
const TIMED = 20;

const salt = Buffer.alloc(16, 5);
const hex = async (
  secret: string,
  type: (typeof TYPES)[number],
  cost: (typeof COSTS)[number],
  hashLength: number,
) => (await hash(secret, { ...cost, type, salt, hashLength, raw: true })).toString("hex");

const hashes: string[] = [];
for (const secret of SECRETS)
  for (const type of TYPES)
    for (const cost of COSTS)
      for (const length of [16, 32, 65]) hashes.push(await hex(secret, type, cost, length));

const before = process.cpuUsage();
for (let n = 0; n < TIMED; n += 1) await hex("timed", argon2id, SERVER_COST, 32);
const { user, system } = process.cpuUsage(before);
const result: Hashes = { hashes, msOfHash: (user + system) / 1000 / TIMED };
process.stdout.write(JSON.stringify(result));
