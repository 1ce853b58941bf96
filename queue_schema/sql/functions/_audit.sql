-- _audit: write down what an operator does, in his transaction: an act that fails is not there.
--
-- The API says whose key asked by `fleet.key`, which is as true as its login.
create function fleet._audit(p_act text, p_said jsonb)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into fleet.audit (login, key_id, act, said)
  values (session_user, nullif(current_setting('fleet.key', true), '')::uuid, p_act, p_said)
$$;
