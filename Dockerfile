# The server and nothing else: no development packages, no build tools, no package manager, no root.
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Optional are an embedded PostgreSQL and a Node, and the image has its own Node.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24.21.0-bookworm-slim
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn* /opt/yarn*
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json package-lock.json service_config.json LICENSE ./
COPY bin bin
COPY gen gen
COPY src src
# Callers come from outside the container; the admin door, which asks nobody who he is, stays inside until it is told otherwise.
ENV NODE_ENV=production KEYTURN_HOST=0.0.0.0
EXPOSE 50051 8080 9090
USER 1000:1000
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.KEYTURN_ADMIN_PORT||9090}/readyz`).then(({ok})=>process.exit(ok?0:1),()=>process.exit(1))"]
# It hears SIGTERM itself and drains.
ENTRYPOINT ["node", "bin/keyturn.mjs"]
CMD ["serve"]
