-- learn_v1: take up what attempts took, and let needs follow it; count how they ended; lower what was raised long enough ago.
--
-- Caller   fleet_scheduler
-- Returns  {observations, moved}: how many were taken up, and how many needs got another shape
-- Locks    its turn (one such round at a time, nobody waits for it); tallies, which nobody else writes; needs, ascending;
--          their lanes, ascending
create function fleet.learn_v1(p_limit integer)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now     timestamptz := fleet.now();
  v_lessons fleet.lesson[];
  v_eaten   integer;
  v_seen    bigint[];
  v_over    bigint[];
  v_needs   bigint[];
begin
  perform from fleet.turns as t where t.name = 'learn' for update skip locked;
  if not found then
    return '{"observations": 0, "moved": 0}';
  end if;

  with eaten as (
    delete from fleet.observations as o
     where o.ctid = any(array(select x.ctid from fleet.observations as x limit p_limit))
    returning o.*
  ),
  -- Exactly once, for each observation is deleted once: counters that a metric can trust, at no cost to a settle.
  tallied as (
    insert into fleet.tallies as y (project_id, kind, priority, outcome, cause, attempts)
    select n.project_id, n.kind, l.priority, coalesce(e.outcome, 'succeeded'), coalesce(e.cause, ''), sum(coalesce(e.ended, e.runs))
      from eaten as e
      join fleet.lanes as l on l.lane_id = e.lane_id
      join fleet.needs as n on n.need_id = l.need_id
     group by 1, 2, 3, 4, 5
        on conflict (project_id, kind, priority, outcome, cause) do update set attempts = y.attempts + excluded.attempts
  ),
  told as (
    select e.*, n.need_id, n.kind, n.model_key, n.size_key, p.project_id,
           min(n.need_id) over (partition by n.kind, n.model_key, n.size_key, p.project_id) as first_need
      from eaten as e
      join fleet.lanes as l on l.lane_id = e.lane_id
      join fleet.needs as n on n.need_id = l.need_id
      join fleet.kinds as k on k.kind = n.kind
     cross join lateral (select case when not k.shared_learning then n.project_id end as project_id) as p
     where e.runs > 0 or e.grew_mib is not null
  ),
  ran as (
    select t.first_need, array_agg(r.run_s order by t.at) as run_s
      from told as t cross join lateral unnest(t.run_s) as r (run_s)
     group by t.first_need
  ),
  peaked as (
    select t.first_need, array_agg(p.mib order by t.at) as peak_mib
      from told as t cross join lateral unnest(t.peak_mib) as p (mib)
     group by t.first_need
  ),
  summed as (
    select t.first_need, t.kind, t.model_key, t.size_key, t.project_id, sum(t.runs)::bigint as runs, max(t.grew_mib) as grew_mib
      from told as t
     group by t.first_need, t.kind, t.model_key, t.size_key, t.project_id
  )
  select array_agg(row(s.kind, s.model_key, s.size_key, s.project_id, s.runs, coalesce(r.run_s, '{}'),
                       coalesce(p.peak_mib, '{}'), s.grew_mib)::fleet.lesson),
         (select count(*) from eaten), (select array_agg(distinct t.need_id) from told as t)
    into v_lessons, v_eaten, v_seen
    from summed as s
    left join ran as r on r.first_need = s.first_need
    left join peaked as p on p.first_need = s.first_need;

  v_over := array(select n.need_id from fleet.needs as n where n.raised_until <= v_now);
  if v_seen is null and v_over = '{}' then
    return jsonb_build_object('observations', v_eaten, 'moved', 0);
  end if;
  v_needs := fleet._hold_needs(v_seen || v_over);

  update fleet.needs as n
     set runs = n.runs + l.runs,
         recent_run_s = w.run_s,
         run_s = case when cardinality(w.run_s) >= 5
                      then (select percentile_cont(0.9) within group (order by r.s) from unnest(w.run_s) as r (s)) end,
         recent_peak_mib = w.peak_mib,
         learned_mib = fleet._learned(n.learned_mib, w.peak_mib)
    from unnest(v_lessons) as l
    join fleet.needs as o
      on (o.kind, o.model_key, o.size_key) = (l.kind, l.model_key, l.size_key)
     and (l.project_id is null or o.project_id = l.project_id)
   cross join lateral (select o.recent_run_s || l.run_s as run_s,
                              o.recent_peak_mib || l.peak_mib
                              -- What ran out had at least so much: it teaches more, never less.
                              || case when l.grew_mib > all(o.recent_peak_mib || l.peak_mib) then l.grew_mib end as peak_mib) as a
   cross join lateral (select a.run_s[greatest(1, cardinality(a.run_s) - 49):] as run_s,
                              p.mib[greatest(1, cardinality(p.mib) - 19):] as peak_mib
                         from (select array_remove(a.peak_mib, null) as mib) as p) as w
   where n.need_id = o.need_id
     and n.need_id = any(v_needs);
  update fleet.needs as n
     set raised_mib = null, raised_ram_mib = null, raised_until = null
   where n.need_id = any(v_over)
     and n.raised_until <= v_now;
  return jsonb_build_object('observations', v_eaten, 'moved', fleet._fit_needs(v_needs));
end
$$;

-- _learned: the need by the last peaks: the largest and a tenth, once there are five. It grows at once and is lowered only by
-- a fifth or more, so that it does not flap between two sizes.
create function fleet._learned(p_before integer, p_peaks integer[])
  returns integer
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select case when cardinality(p_peaks) < 5 then p_before
              when t.mib > p_before * 0.8 and t.mib < p_before then p_before
              else t.mib end
    from (select fleet._quantised(max(p.mib) * 1.1) as mib from unnest(p_peaks) as p (mib)) as t
$$;
