#!/usr/bin/env node
// Plain JavaScript, so that a Node which cannot run the rest still says what to do.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `Keyturn needs Node 22.18 or newer and this is ${process.versions.node}. ` +
      "Where npm installs optional packages, npm start and npm run bring a newer one along.\n",
  );
  process.exit(1);
}
await import("../src/main.ts");
