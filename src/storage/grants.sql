-- What the server may do: call functions and read. It writes no table directly, so every promise that the functions
-- keep holds whoever calls. `keyturn_app` is a group role: grant it to the login of the server.
revoke all on schema keyturn from public;
revoke execute on all functions in schema keyturn from public;
grant usage on schema keyturn to keyturn_app;
grant select on all tables in schema keyturn to keyturn_app;
grant execute on function keyturn.create_credential(
  text, text, text, text, text, timestamptz, integer, integer, integer, integer, text, text, inet, text, integer
) to keyturn_app;
