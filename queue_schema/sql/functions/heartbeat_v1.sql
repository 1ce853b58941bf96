-- heartbeat_v1: the calling session lives, and runs these attempts.
--
-- Caller   fleet_agent
-- Returns  {commands: [{token, command}], lost: [token], draining, erasing}: with erasing, ask erasures_v1
-- Locks    its own row of session_beats; rows of leases only with SKIP LOCKED: it waits for nobody (I11)
-- Errors   JQ003 session_lost
--
-- A lease that two beats in a row did not name was given in an answer that never arrived: the reaper takes it (I14).
create function fleet.heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[])
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off  -- as in claim_v1
  set enable_bitmapscan = off  -- for the few leases of a session it is the dearer way
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_now      timestamptz := fleet.now();
  v_self     record;
  v_held     record;
  v_lost     jsonb := '[]';
  v_commands jsonb;
  -- Set by an expression: PERFORM would be a statement more.
  v_async    text := set_config('synchronous_commit', 'off', true);
begin
  -- A look and an update by key: one update that joined all of this took more than both, and ten thousand nodes send a
  -- thousand beats a second.
  select n.draining, n.erasing,
         array(select case when l.command is null and l.unnamed = 0 then l.token end
                 from fleet.leases as l where l.session_id = p_session) as quiet
    into v_self
    from fleet.sessions as s
    join fleet.nodes as n on n.node_id = s.node_id
   where s.session_id = p_session
     and s.secret_hash = sha256(convert_to(p_secret, 'UTF8'))
     and s.ended_at is null;
  if not found then
    perform fleet._session(p_session, p_secret);  -- says what is wrong
  end if;
  update fleet.session_beats as b set beat_at = v_now where b.session_id = p_session;

  -- Mostly it names exactly the leases there are, and nothing is wanted of any. A lease of which something is, is null here
  -- and so in no list.
  if cardinality(v_self.quiet) = cardinality(p_tokens) and v_self.quiet <@ p_tokens
     and not (v_self.draining or v_self.erasing) then
    return '{"commands": [], "lost": [], "draining": false, "erasing": false}';
  end if;
  select coalesce(array_agg(l.token), '{}') as tokens, coalesce(bool_or(l.command is not null), false) as commanded,
         coalesce(bool_or(l.unnamed > 0 or l.token = any(p_tokens) is not true), false) as amiss
    into v_held
    from fleet.leases as l
   where l.session_id = p_session;
  if v_held.amiss then
    -- What was claimed since the last beat may be in an answer that is still on its way.
    update fleet.leases as l
       set unnamed = case when l.token = any(p_tokens) then 0 else l.unnamed + 1 end
     where l.job_id = any(array(select c.job_id
                                  from fleet.leases as c
                                 where c.session_id = p_session
                                   and case when c.token = any(p_tokens) then c.unnamed > 0
                                            else c.claimed_at < v_now - make_interval(
                                                   secs => (select t.heartbeat_s from fleet.settings as t)) end
                                   for update skip locked));
  end if;

  if not p_tokens <@ v_held.tokens then
    v_lost := (select jsonb_agg(t.token) from unnest(p_tokens) as t (token) where not t.token = any(v_held.tokens));
  end if;
  if v_held.commanded then
    v_commands := (select jsonb_agg(jsonb_build_object('token', l.token, 'command', l.command))
                     from fleet.leases as l
                    where l.session_id = p_session
                      and l.command is not null);
  end if;
  return json_build_object('commands', coalesce(v_commands, '[]'), 'lost', v_lost, 'draining', v_self.draining,
                           'erasing', v_self.erasing);
end
$$;
