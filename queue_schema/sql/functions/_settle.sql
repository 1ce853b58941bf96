-- _settle: end attempts, whoever ends them. Here, and for successes in _succeed, a lease becomes history.
--
-- p_items  [{job_id, token, cause, message, reason, started, traceback, peak_mib, memory, values,
--            artifacts: [{name, sha256, size, media_type}]}]
-- p_verdict succeeded | failed | released, of all of them
-- Returns  [{job_id, token, outcome, state}] in the same order
-- Locks    needs to be raised, ascending (_rungs); rows of jobs, ascending; then their leases; lanes of raised needs;
--          dependents (jobs, ascending), lanes, node_health; the bookings of their nodes, ascending
--
-- A token that is no lease any more is answered, not raised: one stale item must not undo its neighbours. It is
-- `already_settled` if its own agent settled it before (the answer was lost), else `lease_lost`.
--
-- A job that nodes hand back before it starts, again and again, must not bounce at the speed of their polling: from the
-- third time in a row it waits, 2 s and then twice as long each time, a minute at most. Nobody is blamed. One that was to
-- start by a time that has passed, and never did, waits too: the next promote ends it, and no claim is before that.
--
-- One that ran out of memory near its booking is tried again with more at nobody's charge, a few rungs of the ladder up;
-- from there on as its policy says.
create function fleet._settle(p_session uuid, p_items jsonb, p_verdict text, p_by text)
  returns json
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
  -- By key, all of it: a plan made while a table was small must not read it whole when it has grown.
  set enable_seqscan = off
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_now       timestamptz := fleet.now();
  v_ids       uuid[];
  v_settled   uuid[];
  v_failed    uuid[];
  v_requeued  uuid[];
  v_hooked    uuid[];
  v_freed     fleet.booking[];
  v_rungs     fleet.rung[];
  v_event     bigint;
  v_answer    json;
begin
  if current_setting('synchronous_commit') = 'off' then
    perform fleet._durably();
  end if;
  if p_verdict = 'succeeded' then
    return fleet._succeed(p_session, p_items, p_by);
  end if;
  v_ids := array(select distinct i.job_id from jsonb_to_recordset(p_items) as i (job_id uuid));
  if p_verdict = 'failed' and p_items @? '$[*] ? (@.cause == "out_of_memory")' then
    v_rungs := fleet._rungs(p_session, p_items);
  end if;
  perform 1 from fleet.jobs as j where j.job_id = any(v_ids) order by j.job_id for no key update;
  v_event := fleet.event_id();

  with item as materialized (
    select i.job_id, i.token, p_verdict as verdict,
           case when r.far then 'infrastructure'::fleet.cause else i.cause end as cause,
           case when r.far
                then format('%s (it had %s of %s MiB booked: others took the memory)', i.message, r.peak_mib, r.booked_mib)
                when r.job_id is not null and r.to_mib is null
                then format('%s (no node has more for it than %s MiB)', i.message, r.top_mib)
                else coalesce(i.message, i.reason) end as message, i.traceback, r.memory, r.to_mib,
           fleet._mib(i.peak_mib) as peak_mib, p_verdict = 'released' and not coalesce(i.started, true) as unstarted, i.place
      from rows from (jsonb_to_recordset(p_items) as (
             job_id uuid, token uuid, cause fleet.cause, message text, reason text, started boolean, traceback text,
             peak_mib numeric)) with ordinality
             as i (job_id, token, cause, message, reason, started, traceback, peak_mib, place)
      left join unnest(v_rungs) as r on r.job_id = i.job_id and r.token = i.token
  ),
  taken as (
    delete from fleet.leases as l
     using item as i
     where l.job_id = any(v_ids)  -- by key, as in _succeed
       and l.job_id = i.job_id
       and l.token = i.token
       and (p_session is null or l.session_id = p_session)
    returning l.*, i.verdict, i.cause, i.message, i.traceback, i.peak_mib, i.unstarted, i.memory, i.to_mib
  ),
  decided as materialized (
    select t.*, b.blame, j.lane_id, j.retries_used, j.infra_used, j.priority, j.webhook,
           case
             when t.command = 'cancel' or t.cause = 'cancelled' then 'cancelled'
             when t.verdict = 'released' then 'released'
             when p.retried and b.blame = 'user' and j.retries_used < j.retries then 'retrying'
             when p.retried and b.blame = 'infrastructure' and j.infra_used < s.max_infra_retries then 'retrying'
             when p.retried and b.blame in ('nobody', 'ladder') then 'retrying'
             else 'failed'
           end as next,
           case when t.unstarted and j.attempts = j.releases then j.start_by end as start_by,
           make_interval(secs => (0.5 + random() / 2) * case
             when t.unstarted and j.releases > 1 then least(60, 2 ^ least(j.releases - 1, 20))
             when t.unstarted and j.attempts = j.releases and j.start_by <= v_now then 1
             when t.verdict = 'released' or b.blame = 'ladder' then 0
             else least(p.max_s, p.base_s * 2 ^ least(case p.charged when 'user' then j.retries_used else j.infra_used end, 20))
           end) as pause
      from taken as t
     cross join lateral (select j.* from fleet.jobs as j where j.job_id = t.job_id limit 1) as j
      join fleet.settings as s on s.one
      left join fleet.retry_policies as p on p.cause = t.cause
     cross join lateral (select case when t.to_mib is not null and j.rungs < s.oom_rungs then 'ladder' else p.charged end
                                as blame) as b
  ),
  history as (
    insert into fleet.attempts (job_id, project_id, attempt, token, session_id, node_id, devices, vram_mib, ram_mib,
                                started_at, ended_at, outcome, settled_by, cause, message, traceback, peak_mib, claimed_event,
                                ended_event, progress)
    select d.job_id, d.project_id, d.attempt, d.token, d.session_id, d.node_id, d.devices, d.vram_mib, d.ram_mib,
           d.claimed_at, v_now, d.verdict, p_by, d.cause, d.message, d.traceback, d.peak_mib,
           d.claimed_event, v_event,
           case when g.job_id is not null then fleet._told(g) end
      from decided as d
      left join lateral (select g.* from fleet.progress as g where g.job_id = d.job_id and g.token = d.token limit 1) as g on true
  ),
  forgotten as (
    delete from fleet.progress as g where g.job_id = any(array(select d.job_id from decided as d))
  ),
  written as (
    update fleet.jobs as j
       set attempts     = d.attempt,
           retries_used = j.retries_used + (d.next = 'retrying' and d.blame = 'user')::integer,
           infra_used   = j.infra_used + (d.next = 'retrying' and d.blame = 'infrastructure')::integer,
           rungs        = j.rungs + (d.next = 'retrying' and d.blame = 'ladder')::integer,
           releases     = case when d.unstarted then j.releases + 1 else 0 end,
           outcome      = case when d.next in ('failed', 'cancelled') then d.next::fleet.job_state end,
           ended_at     = case when d.next in ('failed', 'cancelled') then v_now end,
           failed_at    = case when d.next = 'failed' then v_now end,
           cause        = case d.next when 'failed' then d.cause when 'cancelled' then 'cancelled'::fleet.cause end,
           error        = case when d.verdict = 'failed'
                               then jsonb_strip_nulls(jsonb_build_object('message', d.message, 'traceback', d.traceback))
                               else j.error end
      from (select d.*, x.ctid as at
              from decided as d
             cross join lateral (select x.ctid from fleet.jobs as x where x.job_id = d.job_id limit 1) as x) as d
     where j.ctid = d.at
  ),
  counted as (
    -- What was charged at the claim becomes what was used.
    insert into fleet.charges (era, project_id, low, amount)
    select (select r.era from fleet.rankings as r order by r.era desc limit 1), d.project_id, d.priority = 'low',
           sum(fleet._footprint(cardinality(d.devices), d.vram_mib, d.ram_mib, d.cpu_milli)
               * extract(epoch from v_now - d.claimed_at) - d.charged)
      from decided as d
     group by d.project_id, d.priority = 'low'
  ),
  observed as (
    -- All of it is counted; what ran out of memory teaches besides.
    insert into fleet.observations (lane_id, at, runs, ended, outcome, cause, grew_mib)
    select d.lane_id, v_now, 0, count(*), d.verdict, d.cause,
           max(d.peak_mib) filter (where d.verdict = 'failed' and d.cause = 'out_of_memory'
                                     and (d.memory = 'vram' or d.devices = '{}'))
      from decided as d
     group by d.lane_id, d.verdict, d.cause
  ),
  returned as (
    insert into fleet.cap_returns (project_id, running, vram_mib)
    select d.project_id, count(*), sum(cardinality(d.devices) * d.vram_mib::bigint)
      from decided as d
     where d.capped
     group by d.project_id
  ),
  backoff as (
    insert into fleet.waiting (job_id, waits_for, run_at)
    select d.job_id, 0, v_now + d.pause from decided as d
     where d.next in ('retrying', 'released') and d.pause > interval '0'
  ),
  timed as (
    -- It was leased when its time came, perhaps: then promote_v1 has forgotten the time.
    insert into fleet.start_by (job_id, start_by)
    select d.job_id, d.start_by from decided as d where d.next = 'released' and d.start_by is not null
        on conflict do nothing
  ),
  told as (
    insert into fleet.job_events (job_id, project_id, at, event, detail)
    select d.job_id, d.project_id, v_now,
           case when d.next = 'retrying' and d.cause = 'lost' then 'lost' else d.next end,
           jsonb_strip_nulls(jsonb_build_object(
             -- A subquery: a join would be planned while the table is small and read it whole for each job.
             'attempt', d.attempt, 'node', (select n.node from fleet.nodes as n where n.node_id = d.node_id),
             'cause', d.cause, 'message', d.message,
             'run_at', case when d.next in ('retrying', 'released') and d.pause > interval '0' then v_now + d.pause end))
      from decided as d
  ),
  answered as (
    select i.place, i.job_id, i.token,
           case when d.token is not null then 'settled'
                when fleet._settled_before(i.job_id, i.token) then 'already_settled'
                else 'lease_lost' end as outcome,
           d.next, d.pause, d.webhook
      from item as i
      left join decided as d on d.job_id = i.job_id and d.token = i.token
  ),
  freed as (
    select d.node_id, d.devices, d.vram_mib, count(*) as held, sum(d.ram_mib) as ram_mib, sum(d.cpu_milli) as cpu_milli,
           sum(d.disk_mib) as disk_mib
      from decided as d
     group by d.node_id, d.devices, d.vram_mib
  )
  select json_agg(json_build_object(
           'job_id', a.job_id, 'token', a.token, 'outcome', a.outcome,
           'state', case
                      when a.next in ('failed', 'cancelled') then a.next
                      when a.next in ('retrying', 'released') and a.pause > interval '0' then 'waiting'
                      when a.next is not null then 'ready'
                      when a.outcome = 'already_settled' then fleet.state_of(a.job_id)::text
                    end) order by a.place),
         array_agg(a.job_id) filter (where a.outcome = 'settled'),
         array_agg(a.job_id) filter (where a.next in ('failed', 'cancelled')),
         array_agg(distinct a.job_id) filter (where a.next in ('retrying', 'released') and a.pause <= interval '0'),
         array_agg(a.job_id) filter (where a.webhook is not null and a.next in ('failed', 'cancelled')),
         (select array_agg(row(f.node_id, f.devices, f.vram_mib, f.held, f.ram_mib, f.cpu_milli, f.disk_mib)::fleet.booking
                           order by f.node_id) from freed as f)
    into v_answer, v_settled, v_failed, v_requeued, v_hooked, v_freed
    from answered as a;
  if v_settled is null then
    return coalesce(v_answer, '[]');
  end if;

  -- What is done from here on is done with those that held: a stale item publishes and judges nothing.
  v_rungs := array(select r from unnest(v_rungs) as r where r.to_mib is not null and r.job_id = any(v_settled));
  if cardinality(v_rungs) > 0 then
    perform fleet._raise(v_rungs, v_now);
  end if;
  if v_requeued is not null then
    perform fleet._enqueue(v_requeued);
  end if;
  if v_failed is not null then
    perform fleet._resolve(v_failed);
  end if;
  if v_hooked is not null then
    perform fleet._announce(v_hooked);
  end if;
  if p_by = 'agent' then
    perform fleet._judge_node(p_session, v_settled, v_now);
  end if;
  perform fleet._unbook(v_freed);
  return v_answer;
end
$$;

-- _settled_before: whether its own agent ended this attempt. Apart, so that the statement of every settle does not open each
-- partition of the history twice.
create function fleet._settled_before(p_job uuid, p_token uuid)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select exists (select from fleet.attempts as a where a.job_id = p_job and a.token = p_token and a.settled_by = 'agent')
$$;

-- _unbook: leases have ended; take them off the sums of their nodes.
--
-- p_freed  sums of leases on the same devices of one node, in the order of the nodes
-- Locks    rows of bookings, ascending; last of all, since a claim of that node waits for it
create function fleet._unbook(p_freed fleet.booking[])
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_freed fleet.booking;
begin
  foreach v_freed in array p_freed loop
    update fleet.bookings as b
       set held = b.held - v_freed.held, cpu_milli = b.cpu_milli - v_freed.cpu_milli, disk_mib = b.disk_mib - v_freed.disk_mib,
           mib = array(select x.mib - case when x.idx = -1 then v_freed.ram_mib else 0 end
                              - case when x.idx = any(v_freed.devices) then v_freed.vram_mib * v_freed.held else 0 end
                         from unnest(b.idx, b.mib) with ordinality as x (idx, mib, at)
                        order by x.at)
     where b.node_id = v_freed.node_id;
  end loop;
end
$$;
