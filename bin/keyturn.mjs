#!/usr/bin/env node
// JavaScript of long ago (no top-level await, no `??=`), so that a Node which cannot run the rest still says what to do.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
// Type stripping came without a flag in 22.18 and in 23.6.
if (major < 22 || (major === 22 && minor < 18) || (major === 23 && minor < 6)) {
  process.stderr.write(
    `Keyturn needs Node 22.18 or newer (of 23, 23.6) and this is ${process.versions.node}. ` +
      "Where npm installs optional packages, npm start and npm run bring a newer one along.\n",
  );
  process.exit(1);
}
// The first process of a container, or of any other PID namespace, gets no signal but those that it takes. What asks a server
// to end while it is being loaded would be lost, and the container be killed when its time is over.
if (process.pid === 1)
  for (const [signal, number] of [
    ["SIGTERM", 15],
    ["SIGINT", 2],
  ])
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + number);
    });
// A server takes half of the memory when each of libuv's threads does not keep the 19 MiB of a hash in an arena of its own, and
// when the start does not leave V8 a young generation of 64 MiB. The next hash takes the memory of the one before: to give it
// back and have it cleared again takes a tenth of the time of a hash, and up to a third where the kernel has no huge pages (glibc
// asks for them from 2.35 on). What is free at the end of the heap goes back when it is more than 30 MiB. All this can be said to
// a process only as it starts, so a server starts itself anew in its own place, where the system can do that. Whoever sets
// MALLOC_ARENA_MAX, or the size in NODE_OPTIONS (docs/operations.md, "Memory"), has decided himself.
const ALLOCATION = {
  MALLOC_MMAP_THRESHOLD_: "33554432",
  MALLOC_TRIM_THRESHOLD_: "31457280",
  GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
};
const { env, execArgv, execPath, argv } = process;
if (argv[2] === "serve" && process.platform === "linux" && process.execve && !env.MALLOC_ARENA_MAX) {
  const isSized = /semi-space/.test(`${env.NODE_OPTIONS} ${execArgv}`);
  const args = [...(isSized ? [] : ["--max-semi-space-size=16"]), ...execArgv, ...argv.slice(1)];
  try {
    process.execve(execPath, [execPath, ...args], { ...ALLOCATION, ...env, MALLOC_ARENA_MAX: "1" });
  } catch {
    // Node's permissions forbid it. It is an advantage, and no condition.
  }
}
// argon2 works in libuv's threads, which file, DNS and signature work share: as many hashes as there are cores must leave
// some free (docs/adr/0004). Nothing has used them yet, so it is not too late to say how many there are.
Promise.all([import("node:os"), import("node:module"), import("node:url")]).then(
  ([os, { enableCompileCache }, url]) => {
    process.env.UV_THREADPOOL_SIZE = process.env.UV_THREADPOOL_SIZE || String(os.availableParallelism() + 4);
    // What Node has made of the TypeScript is kept, so that the next start neither strips nor compiles it again: it is ready
    // sooner and has less to hold. Where the folder cannot be written, what is there is read.
    enableCompileCache(url.fileURLToPath(new URL("../node_modules/.cache/keyturn", import.meta.url)));
    return import("../src/main.ts");
  },
);
