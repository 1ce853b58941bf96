-- _session: who calls? Every verb of an agent begins here, but for the two that ask most and look at more in the same
-- statement: claim_v1 and heartbeat_v1.
--
-- Locks    the session row, KEY SHARE: the reaper (FOR UPDATE) and the caller exclude each other
-- Errors   JQ003 session_lost
create function fleet._session(p_session uuid, p_secret text)
  returns fleet.sessions
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan  -- else it is planned anew for every call
as $$
declare
  v_session fleet.sessions;
begin
  select s.*
    into v_session
    from fleet.sessions as s
   where s.session_id = p_session
     and s.secret_hash = sha256(convert_to(p_secret, 'UTF8'))
     and s.ended_at is null
     for key share;

  if not found then
    raise exception using errcode = 'JQ003',
      message = format('session %s has ended, or never was, or the secret is wrong', p_session),
      hint = 'Join again.';
  end if;
  return v_session;
end
$$;
