#!/bin/sh
# Run once by the postgres image, on an empty volume: a database, its owner, who migrates, and the login of the servers, which may
# call functions and read.
set -eu
psql --set=ON_ERROR_STOP=1 --quiet --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv owner_password KEYTURN_OWNER_PASSWORD
\getenv server_password KEYTURN_SERVER_PASSWORD
create role keyturn_app;
create role keyturn_owner login password :'owner_password';
create role keyturn_server login password :'server_password' in role keyturn_app;
create database keyturn owner keyturn_owner;
SQL
