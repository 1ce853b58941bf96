-- heartbeat_v1: the calling session lives, and runs these attempts.
--
-- Caller   fleet_agent
-- Returns  {commands: [{token, command}], lost: [token], draining}
-- Locks    its own row of session_beats; rows of leases only with SKIP LOCKED: it waits for nobody (I11)
-- Errors   JQ003 session_lost
--
-- A lease that two beats in a row did not name was given in an answer that never arrived: the reaper takes it (I14).
create function fleet.heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[])
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off  -- as in claim_v1
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_now   timestamptz := fleet.now();
  v_node  bigint;
  v_beat_s double precision;
begin
  perform set_config('synchronous_commit', 'off', true);
  select s.node_id
    into v_node
    from fleet.sessions as s
   where s.session_id = p_session
     and s.secret_hash = sha256(convert_to(p_secret, 'UTF8'))
     and s.ended_at is null;
  if not found then
    raise exception using errcode = 'JQ003',
      message = format('session %s has ended, or never was, or the secret is wrong', p_session), hint = 'Join again.';
  end if;

  update fleet.session_beats as b set beat_at = v_now where b.session_id = p_session;
  select s.heartbeat_s into v_beat_s from fleet.settings as s;
  update fleet.leases as l
     set unnamed = case when l.token = any(p_tokens) then 0 else l.unnamed + 1 end
   where l.job_id = any(array(select c.job_id
                                from fleet.leases as c
                               where c.session_id = p_session
                                 and ((c.token = any(p_tokens) and c.unnamed > 0)
                                      or (not c.token = any(p_tokens) and c.claimed_at < v_now - make_interval(secs => v_beat_s)))
                                 for update skip locked));

  return jsonb_build_object(
    'commands', coalesce((select jsonb_agg(jsonb_build_object('token', l.token, 'command', l.command))
                            from fleet.leases as l
                           where l.session_id = p_session and l.command is not null), '[]'),
    'lost', coalesce((select jsonb_agg(t.token)
                        from unnest(p_tokens) as t (token)
                       where not exists (select from fleet.leases as l
                                          where l.session_id = p_session and l.token = t.token)), '[]'),
    'draining', (select n.draining from fleet.nodes as n where n.node_id = v_node));
end
$$;
