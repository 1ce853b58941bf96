-- reap_v1: take back the leases of sessions that went silent; end attempts past their time limit; release leases that
-- their own session does not name.
--
-- Caller   fleet_scheduler
-- Returns  {sessions, leases, overdue, unnamed, held_back}
-- Locks    the reaper row, SKIP LOCKED (one reaper at a time); expired sessions FOR UPDATE, ascending; then as _settle
--
-- The session rows are locked first and the beats read again after: a joined row is not read again after a wait, so a
-- plain DELETE ... USING reaps the living (I6). A heartbeat never waits for this; one that comes while we hold the
-- session is answered, and finds its leases gone at the next.
create function fleet.reap_v1(p_limit integer)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now      timestamptz := fleet.now();
  v_set      fleet.settings;
  v_reaper   fleet.reaper;
  v_lease    interval;
  v_held     text;
  v_silent   uuid[];
  v_dead     uuid[] := '{}';
  v_lost     jsonb := '[]';
  v_overdue  jsonb;
  v_unnamed  jsonb;
  v_unsaid   uuid[];
begin
  select s.* into strict v_set from fleet.settings as s;
  v_lease := make_interval(secs => v_set.lease_s);
  select r.* into v_reaper from fleet.reaper as r for update skip locked;
  if not found then
    return jsonb_build_object('sessions', 0, 'leases', 0, 'overdue', 0, 'unnamed', 0, 'held_back', 'busy');
  end if;

  if v_reaper.ran_at is null or v_reaper.ran_at < v_now - v_lease or v_reaper.ran_at < pg_postmaster_start_time() then
    v_reaper.grace_until := v_now + v_lease;
  end if;
  v_silent := array(select s.session_id
                      from fleet.sessions as s
                      join fleet.session_beats as b on b.session_id = s.session_id
                     where s.ended_at is null
                       and b.beat_at < v_now - v_lease
                     order by s.session_id);
  if cardinality(v_silent) >= v_set.alarm_min_nodes
     and cardinality(v_silent) > v_set.alarm_share * (select count(*) from fleet.sessions as s where s.ended_at is null) then
    v_reaper.alarm_since := coalesce(v_reaper.alarm_since, v_now);
    v_reaper.alarm := format('%s sessions fell silent at once: the fault is likely not theirs', cardinality(v_silent));
  else
    v_reaper.alarm_since := null;
    v_reaper.alarm := null;
  end if;
  v_held := case
              when v_reaper.grace_until > v_now then 'grace'
              when v_reaper.alarm_since > v_now - make_interval(secs => v_set.alarm_hold_s) then 'alarm'
            end;

  if v_held is null and cardinality(v_silent) > 0 then
    v_silent := v_silent[:p_limit];
    perform 1 from fleet.sessions as s where s.session_id = any(v_silent) order by s.session_id for update;
    v_dead := array(select s.session_id
                      from fleet.sessions as s
                      join fleet.session_beats as b on b.session_id = s.session_id
                     where s.session_id = any(v_silent)
                       and s.ended_at is null
                       and b.beat_at < v_now - v_lease);
    update fleet.sessions as s set ended_at = v_now, end_reason = 'silent' where s.session_id = any(v_dead);
    delete from fleet.idle_sessions as i where i.session_id = any(v_dead);
    v_lost := fleet._lost_items(v_dead);
    perform fleet._settle(null, v_lost, 'failed', 'reaper');
  end if;

  -- One walk through what runs finds both.
  with amiss as materialized (
    select l.job_id, l.token, l.unnamed >= 2 as unnamed, l.deadline < v_now - interval '60 s' as overdue
      from fleet.leases as l
     where v_held is null  -- its result may be in a spool, waiting for the database as we did
       and (l.unnamed >= 2 or l.deadline < v_now - interval '60 s')
  )
  select coalesce((select jsonb_agg(jsonb_build_object('job_id', o.job_id, 'token', o.token, 'cause', 'timeout',
                            'message', 'its time limit passed a minute ago and its node did not end it'))
                     from (select a.* from amiss as a where a.overdue limit p_limit) as o), '[]'),
         array(select a.job_id from amiss as a where a.unnamed and not a.overdue limit p_limit)
    into v_overdue, v_unsaid;
  perform fleet._settle(null, v_overdue, 'failed', 'reaper');
  -- The jobs are locked first and the leases read again after: a beat may name one while we wait.
  perform 1 from fleet.jobs as j where j.job_id = any(v_unsaid) order by j.job_id for no key update;
  select coalesce(jsonb_agg(jsonb_build_object('job_id', u.job_id, 'token', u.token, 'started', false,
           'message', 'its node does not know of it: the answer to its claim was lost')), '[]')
    into v_unnamed
    from (select l.job_id, l.token from fleet.leases as l where l.job_id = any(v_unsaid) and l.unnamed >= 2 for update) as u;
  perform fleet._settle(null, v_unnamed, 'released', 'reaper');

  update fleet.reaper as r
     set ran_at = v_now, grace_until = v_reaper.grace_until, alarm_since = v_reaper.alarm_since, alarm = v_reaper.alarm;
  return jsonb_build_object('sessions', cardinality(v_dead), 'leases', jsonb_array_length(v_lost),
                            'overdue', jsonb_array_length(v_overdue), 'unnamed', jsonb_array_length(v_unnamed),
                            'held_back', v_held);
end
$$;
