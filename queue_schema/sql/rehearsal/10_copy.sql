-- _set_stage: empty the stage and copy onto it what the fleet looks like now: machines, shares, caps and places whole; of
-- the jobs what runs, the heads of all lanes, what waits for these or for a time within a day, and p_wanted with all that
-- they wait for.
--
-- p_most jobs, about: with more lanes than that, four of each; of the lanes of p_wanted 1,000
-- Locks    the stage (callers hold the turn of rehearsals); nothing of the fleet
--
-- All is read by one statement, so by one snapshot: a job is in one place here too (I1).
create function rehearsal._set_stage(p_now timestamptz, p_most integer, p_wanted uuid[] default '{}')
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_each  integer := greatest(4, p_most / greatest(1, (select count(*) from fleet.lanes as l where l.active)));
  v_lanes bigint[] := array(select j.lane_id from fleet.jobs as j where j.job_id = any(p_wanted));
begin
  perform set_config('rehearsal.now', extract(epoch from p_now)::text, true);
  -- Only what has been written to: to truncate costs new files for the table and each of its indexes.
  execute coalesce((select 'truncate ' || string_agg(c.oid::regclass::text, ', ')
                      from pg_class as c
                     where c.relnamespace = 'rehearsal'::regnamespace and c.relkind = 'r' and pg_relation_size(c.oid) > 0),
                   'select');

  with recursive wanted as materialized (
    select w.job_id from unnest(p_wanted) as w (job_id)
     union
    select r.job_id from fleet.reservations as r
  ),
  above (job_id) as (
    select w.job_id from wanted as w
     union
    select d.after_job_id
      from above as a join fleet.dependencies as d on d.job_id = a.job_id and not d.satisfied
  ),
  below (job_id, depth) as (
    (select h.job_id, 0 from heads as h
      union all
     select l.job_id, 0 from fleet.leases as l
      union all
     select d.job_id, 0 from due as d)
     union
    select d.job_id, b.depth + 1
      from below as b join fleet.dependencies as d on d.after_job_id = b.job_id and not d.satisfied
     where b.depth < 100
  ),
  heads as materialized (
    select r.*
      from fleet.lanes as l
     cross join lateral (select r.*
                           from fleet.ready as r
                          where r.lane_id = l.lane_id and r.order_key >= l.head_key
                          order by r.order_key
                          limit case when l.lane_id = any(v_lanes) then greatest(1000, v_each) else v_each end) as r
     where l.active
     union
    select r.*
      from above as w
      join fleet.jobs as j on j.job_id = w.job_id
      join fleet.ready as r on (r.lane_id, r.order_key, r.job_id) = (j.lane_id, j.order_key, j.job_id)
  ),
  due as materialized (
    select w.*
      from fleet.waiting as w
     where w.waits_for = 0 and w.run_at < p_now + interval '1 day'
     order by w.run_at
     limit p_most
  ),
  waits as materialized (
    select w.*
      from fleet.waiting as w
     where w.job_id in (select d.job_id from due as d
                         union
                        (select b.job_id from below as b where b.depth > 0 limit 2 * p_most)
                         union
                        select a.job_id from above as a)
  ),
  who as materialized (
    select h.job_id from heads as h
     union
    select w.job_id from waits as w
     union
    select l.job_id from fleet.leases as l
     union
    select a.job_id from above as a
  ),
  live as materialized (
    select s.* from fleet.sessions as s where s.ended_at is null
  ),
  c00 as (insert into rehearsal.turns select * from fleet.turns),
  c01 as (insert into rehearsal.settings select * from fleet.settings),
  c02 as (insert into rehearsal.projects select * from fleet.projects),
  c03 as (insert into rehearsal.kinds select * from fleet.kinds),
  c03b as (insert into rehearsal.paused_kinds select * from fleet.paused_kinds),
  c04 as (insert into rehearsal.retry_policies select * from fleet.retry_policies),
  c05 as (insert into rehearsal.shapes select * from fleet.shapes),
  c06 as (insert into rehearsal.needs select * from fleet.needs),
  c07 as (insert into rehearsal.lanes select * from fleet.lanes),
  c08 as (insert into rehearsal.shares select * from fleet.shares),
  c09 as (insert into rehearsal.caps select * from fleet.caps),
  c10 as (insert into rehearsal.cap_returns select * from fleet.cap_returns),
  c11 as (insert into rehearsal.rankings select * from fleet.rankings order by era desc limit 1),
  c12 as (insert into rehearsal.charges
          select c.* from fleet.charges as c where c.era >= (select max(r.era) - 20 from fleet.rankings as r)),
  c13 as (insert into rehearsal.reservations select * from fleet.reservations),
  c14 as (insert into rehearsal.node_health select * from fleet.node_health),
  c15 as (insert into rehearsal.nodes select n.* from fleet.nodes as n join live as s on s.node_id = n.node_id),
  c16 as (insert into rehearsal.bookings select b.* from fleet.bookings as b join live as s on s.node_id = b.node_id),
  c17 as (insert into rehearsal.sessions select * from live),
  c18 as (insert into rehearsal.session_beats
          select b.* from fleet.session_beats as b join live as s on s.session_id = b.session_id),
  c19 as (insert into rehearsal.devices select d.* from fleet.devices as d join live as s on s.node_id = d.node_id),
  c20 as (insert into rehearsal.leases select * from fleet.leases),
  c21 as (insert into rehearsal.ready select * from heads),
  c22 as (insert into rehearsal.waiting select * from waits),
  c23 as (insert into rehearsal.jobs select j.* from fleet.jobs as j join who as w on w.job_id = j.job_id),
  c24 as (insert into rehearsal.dependencies
          select d.* from fleet.dependencies as d join waits as w on w.job_id = d.job_id)
  insert into rehearsal.start_by select s.* from fleet.start_by as s join who as w on w.job_id = s.job_id;

  -- The truth of a sample there: what outsiders hold, and what is booked. What a job has not taken yet, it will.
  update rehearsal.devices as d
     set free_mib = case when d.fault is not null then 0
                         else d.total_mib - greatest(0, d.total_mib - coalesce(d.free_mib, d.total_mib) - coalesce(b.mib, 0)) end,
         sampled_at = 'infinity'
    from rehearsal.devices as x
    join rehearsal.bookings as o on o.node_id = x.node_id
    left join lateral unnest(o.idx, o.mib) as b (idx, mib) on b.idx = x.idx
   where (x.node_id, x.idx) = (d.node_id, d.idx);
  -- Who lives now lives to the end of the play; who is silent does not act.
  update rehearsal.session_beats as b
     set beat_at = 'infinity'
    from rehearsal.settings as t
   where b.beat_at > p_now - make_interval(secs => t.lease_s);
  update rehearsal.sessions as s
     set secret_hash = sha256(''),
         ended_at = case when b.beat_at < 'infinity' then p_now end
    from rehearsal.session_beats as b
   where b.session_id = s.session_id;
  insert into rehearsal.kind_runs (kind, run_s)
  select n.kind, array_agg(t.run_s)
    from rehearsal.needs as n cross join lateral unnest(n.recent_run_s) as t (run_s)
   group by n.kind;
end
$$;

-- _sample: what a node on the stage would measure now.
create function rehearsal._sample(p_node bigint)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('seq', b.sample_seq + 1, 'disk_free_mib', n.disk_mib,
                            'devices', (select jsonb_agg(jsonb_build_object('idx', d.idx, 'free_mib', d.free_mib, 'leases', '[]'::jsonb))
                                          from rehearsal.devices as d where d.node_id = p_node))
    from rehearsal.nodes as n
    join rehearsal.bookings as b on b.node_id = n.node_id
   where n.node_id = p_node
$$;

-- _look: what a session would be given if it claimed now: the jobs.
create function rehearsal._look(p_session uuid)
  returns uuid[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_node bigint;
  v_want integer;
begin
  select s.node_id, s.slots - b.held
    into v_node, v_want
    from rehearsal.sessions as s
    join rehearsal.bookings as b on b.node_id = s.node_id
   where s.session_id = p_session and s.ended_at is null;
  if coalesce(v_want, 0) < 1 then
    return '{}';
  end if;
  return array(select (c.one ->> 'job_id')::uuid
                 from json_array_elements(rehearsal.claim_v1(p_session, '', gen_random_uuid(), rehearsal._sample(v_node), v_want))
                      as c (one));
end
$$;
