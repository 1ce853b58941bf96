-- wake_v1: work became ready; notify sleeping sessions that could run some of it, one for each job for which nobody is on
-- the way yet.
--
-- Caller   all
-- Returns  how many were told
-- Locks    rows of idle_sessions, SKIP LOCKED
--
-- Nothing is lost with a wake, so its commit does not wait for the disk: the sessions look by themselves now and then.
create function fleet.wake_v1()
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off
  set enable_sort = off
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_shapes bigint[];
  v_most   bigint;
begin
  perform set_config('synchronous_commit', 'off', true);
  if not exists (select from fleet.idle_sessions as d where d.told_at is null) then
    return '0';
  end if;
  -- What is ready, and how much, once for all sessions.
  select array_agg(distinct r.shape_id), count(*)
    into v_shapes, v_most
    from (select a.shape_id
            from fleet._asked_by_all() as a
           cross join lateral (select from fleet.lanes as l
                                cross join lateral (select from fleet.ready as r
                                                     where r.lane_id = l.lane_id and r.order_key >= l.head_key
                                                     limit 64) as r
                                where l.active and not l.paused and l.shape_id = a.shape_id and l.priority = a.priority
                                limit 64) as r) as r;
  if v_most > 0 then
    v_most := v_most - (select count(*) from fleet.idle_sessions as d where d.told_at > fleet.now() - interval '2 s');
  end if;
  return to_jsonb(fleet._rouse(v_shapes, v_most, null, null));
end
$$;

-- _rouse: notify sleeping sessions that could run jobs of these shapes, one for each job, 64 at most.
--
-- p_look   no more sessions than this are looked at; null: any number
-- p_models who has one of these at rest is told first; null: nobody
-- Returns  how many were told
-- Locks    rows of idle_sessions, SKIP LOCKED
-- Index    idle_sessions_by_joined, idle_sessions_warm: looked through in order, and no further than needed
--
-- Who has been there longest is told first: always the same ones while there is little to do, so that their connections are
-- warm (one that claims for the first time plans everything, 30 ms instead of 2), and early in the order in which PostgreSQL
-- tells listeners, all of whose backends it wakes for each notification.
create function fleet._rouse(p_shapes bigint[], p_most bigint, p_look integer, p_models text[])
  returns integer
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now  timestamptz := fleet.now();
  v_idle record;
  v_sent integer := 0;
begin
  if p_most < 1 or (select s.halted from fleet.settings as s) then
    return 0;
  end if;
  for v_idle in select d.session_id, s.kinds, s.node_id, n.pools, n.facts || n.labels as labels
                  from ((select d.session_id
                           from fleet.idle_sessions as d
                          where d.told_at is null and d.warm is not null and d.warm && p_models
                          order by d.joined_at
                          limit p_most)
                         union all
                        (select d.session_id
                           from fleet.idle_sessions as d
                          where d.told_at is null
                          order by d.joined_at
                          limit p_look)) as d
                  join fleet.sessions as s on s.session_id = d.session_id and s.ended_at is null
                  join fleet.nodes as n on n.node_id = s.node_id and not n.draining loop
    continue when not exists (
      select from fleet.shapes as p
       where p.shape_id = any(p_shapes)
         and p.kind = any(v_idle.kinds)
         and fleet._suits(p, v_idle.labels, v_idle.pools)
         and p.gpus <= (select count(*) from fleet.devices as v
                         where v.node_id = v_idle.node_id and v.takes_vram and v.fault is null
                           and v.total_mib >= p.vram_mib and (p.device = 'any' or p.device = v.kind)));
    update fleet.idle_sessions as i
       set told_at = v_now
     where i.session_id = (select d.session_id from fleet.idle_sessions as d
                            where d.session_id = v_idle.session_id and d.told_at is null for update skip locked);
    if found then
      perform pg_notify('fleet_' || replace(v_idle.session_id::text, '-', ''), 'work');
      v_sent := v_sent + 1;
      exit when v_sent >= least(p_most, 64);
    end if;
  end loop;
  return v_sent;
end
$$;

-- _rouse_for: jobs were put into these lanes: tell who sleeps with the very commit. Of many sleepers only some are looked
-- at, so that a submission does not pay for a large idle fleet; wake_v1, after it, looks at all of them.
create function fleet._rouse_for(p_lanes bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
  set enable_sort = off
as $$
declare
  v_shapes bigint[] := array(select l.shape_id from fleet.lanes as l
                              where l.lane_id = any(p_lanes) and l.active and not l.paused);
  v_models text[];
begin
  if v_shapes <> '{}' then
    if exists (select from fleet.idle_sessions as d where d.told_at is null and d.warm is not null) then
      v_models := array(select fleet._warm_key(n.project_id, n.kind, n.model_key)
                          from fleet.lanes as l
                          join fleet.needs as n on n.need_id = l.need_id
                         where l.lane_id = any(p_lanes));
    end if;
    perform fleet._rouse(v_shapes, cardinality(p_lanes), 32, v_models);
  end if;
end
$$;

-- _sleep: a session found nothing and goes to sleep until it is woken, or looks by itself.
create function fleet._sleep(p_session uuid, p_joined_at timestamptz, p_sample jsonb)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into fleet.idle_sessions as i (session_id, joined_at, warm)
  values (p_session, p_joined_at, fleet._warm_keys(p_sample))
      on conflict (session_id) do update set told_at = null, warm = excluded.warm
   where i.told_at is not null or i.warm is distinct from excluded.warm
$$;
