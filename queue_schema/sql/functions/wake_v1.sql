-- wake_v1: work became ready; notify as many sleeping sessions that could run some of it as there are jobs, one each.
--
-- Caller   all
-- p_asleep_within_s  only those that fell asleep in the last so many seconds: who was asleep before, a submission has woken
--          in its own commit; null: all
-- Locks    rows of idle_sessions, SKIP LOCKED
--
-- Nothing is lost with a wake, so its commit does not wait for the disk: the sessions look by themselves now and then.
create function fleet.wake_v1(p_asleep_within_s double precision default null)
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
  v_since  timestamptz := coalesce(fleet.now() - make_interval(secs => p_asleep_within_s), '-infinity');
  v_shapes bigint[];
  v_most   bigint;
begin
  perform set_config('synchronous_commit', 'off', true);
  if not exists (select from fleet.idle_sessions as d where d.since >= v_since) then
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
  return to_jsonb(fleet._rouse(v_shapes, v_most, v_since));
end
$$;

-- _rouse: notify sleeping sessions that could run jobs of these shapes, one for each job, 64 at most.
--
-- Returns  how many were told
-- Locks    rows of idle_sessions, SKIP LOCKED
-- Index    idle_sessions_by_joined: looked through in order, and no further than needed
--
-- Who has been there longest is told first: always the same ones while there is little to do, so that their connections are
-- warm (one that claims for the first time plans everything, 30 ms instead of 2), and early in the order in which PostgreSQL
-- tells listeners, all of which it wakes for each notification: among 100 on two cores the last hears of it 4 ms later.
create function fleet._rouse(p_shapes bigint[], p_most bigint, p_since timestamptz default '-infinity')
  returns integer
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_idle record;
  v_sent integer := 0;
begin
  if (select s.halted from fleet.settings as s) then
    return 0;
  end if;
  for v_idle in select d.session_id, s.kinds, s.node_id, n.pools, n.facts || n.labels as labels
                  from fleet.idle_sessions as d
                  join fleet.sessions as s on s.session_id = d.session_id and s.ended_at is null
                  join fleet.nodes as n on n.node_id = s.node_id and not n.draining
                 where d.since >= p_since
                 order by d.joined_at loop
    exit when v_sent >= least(p_most, 64);
    continue when not exists (
      select from fleet.shapes as p
       where p.shape_id = any(p_shapes)
         and p.kind = any(v_idle.kinds)
         and (p.pools is null or p.pools && v_idle.pools)
         and (p.labels = '{}' or v_idle.labels @> p.labels)
         and p.gpus <= (select count(*) from fleet.devices as v
                         where v.node_id = v_idle.node_id and v.takes_vram and v.total_mib >= p.vram_mib
                           and (p.device = 'any' or p.device = v.kind)));
    delete from fleet.idle_sessions as i
     where i.session_id = (select d.session_id from fleet.idle_sessions as d
                            where d.session_id = v_idle.session_id for update skip locked);
    if found then
      perform pg_notify('fleet_' || replace(v_idle.session_id::text, '-', ''), 'work');
      v_sent := v_sent + 1;
    end if;
  end loop;
  return v_sent;
end
$$;

-- _rouse_for: jobs were put into these lanes, if they are not held: tell who sleeps, with the commit.
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
begin
  if v_shapes <> '{}' then
    perform fleet._rouse(v_shapes, cardinality(p_lanes));
  end if;
end
$$;
