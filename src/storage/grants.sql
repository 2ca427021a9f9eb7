-- What the server may do: call functions and read. It writes no table directly, so every promise that the functions
-- keep holds whoever calls. `keyturn_app` is a group role: grant it to the login of the server.
revoke all on schema keyturn from public;
revoke execute on all functions in schema keyturn from public;
grant usage on schema keyturn to keyturn_app;
grant select on all tables in schema keyturn to keyturn_app;
grant execute on function
  -- The mutations, one for each verb that writes. They run with the owner's rights.
  keyturn.create_credential,
  keyturn.rotate_credential,
  keyturn.delete_credential,
  keyturn.revoke_service_account_credentials,
  keyturn.revoke_organization_credentials,
  keyturn.create_service_account,
  keyturn.update_service_account,
  keyturn.delete_service_account,
  keyturn.update_credential_policy,
  keyturn.record_refusals,
  keyturn.sweep,
  keyturn.record_uses,
  keyturn.rehash_credential,
  keyturn.add_signing_key,
  keyturn.revoke_token,
  keyturn.report_leaked_credential,
  -- What tells events to the webhook.
  keyturn.want_events,
  keyturn.tell_expiring_credentials,
  keyturn.tell_refused_uses,
  keyturn.claim_events,
  keyturn.claim_probe,
  keyturn.accept_event,
  keyturn.postpone_event,
  keyturn.give_up_events,
  -- What reads are made of. They run with the caller's rights.
  keyturn.credential_states,
  keyturn.account_credential_states,
  keyturn.service_account_states,
  keyturn.credential_checks,
  keyturn.revoked_before,
  keyturn.policy_facts,
  keyturn.policy_etag,
  keyturn.etag_of
to keyturn_app;
