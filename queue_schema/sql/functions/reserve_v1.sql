-- reserve_v1: keep places for jobs that no node has room for, so that a stream of smaller ones cannot starve them (I10);
-- for urgent ones, ask running work that may be preempted to give way.
--
-- Caller   fleet_scheduler
-- Returns  {kept, preempted}
-- Locks    its turn (one such round at a time, nobody waits for it); leases to preempt, then rows of caps, with SKIP LOCKED
--
-- One place per node, and one per project with caps. Either is a wish of the scheduler, read again each round: what is wrong
-- in it costs time, never room. The claims do the rest.
create function fleet.reserve_v1()
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan  -- else _free_times is planned for each job anew: 2.6 ms of 3.1
as $$
declare
  v_now   timestamptz := fleet.now();
  v_since timestamptz;
  v_set   fleet.settings;
  v_head  record;
  v_shape fleet.shapes;
  v_best  record;
  v_cap   fleet.caps;
  v_tries integer := 0;     -- heads for which a place was looked for, and
  v_some  integer := 0;     -- those of them for which there is one, now or later:
  v_whose uuid[] := '{}';   -- the projects with caps among theirs, once for each, and
  v_mib   bigint[] := '{}'; -- what of them it needs
  v_asked integer := 0;
begin
  perform from fleet.turns as t where t.name = 'reserve' for update skip locked;
  if not found then
    return '{"kept": 0, "preempted": 0}';
  end if;
  select s.* into strict v_set from fleet.settings as s;
  if not v_set.reserve or v_set.halted then
    perform fleet._keep_no_caps();
    delete from fleet.reservations;
    return '{"kept": 0, "preempted": 0}';
  end if;

  -- Places whose job is gone from its lane, or has no room under its project's caps any more, or whose node is gone or may
  -- not serve it.
  delete from fleet.reservations as r
   where not exists (select from fleet.jobs as j
                       join fleet.ready as y on (y.lane_id, y.order_key, y.job_id) = (j.lane_id, j.order_key, j.job_id)
                       join fleet.lanes as l on l.lane_id = j.lane_id and not l.paused
                      where j.job_id = r.job_id)
      or not exists (select from fleet._live_nodes(v_now) as n
                       join fleet.jobs as j on j.job_id = r.job_id
                       join fleet.lanes as l on l.lane_id = j.lane_id
                       join fleet.shapes as s on s.shape_id = l.shape_id
                      where n.node_id = r.node_id
                        and s.kind = any(n.kinds)
                        and fleet._suits(s, n.labels, n.pools)
                        and coalesce(fleet._under_cap(fleet._cap_for(fleet._cap_now(j.project_id), j.priority, j.order_key), s) > 0,
                                     true));

  v_since := v_now - make_interval(secs => v_set.reserve_after_s);
  for v_head in select h.* from fleet._starving(v_now, v_since, 16, 400) as h loop
    exit when v_some = 8 or v_tries = 16;
    select s.* into strict v_shape from fleet.shapes as s where s.shape_id = v_head.shape_id;
    v_cap := v_head.cap;
    if v_cap.project_id is not null then
      -- Beside those before it that will have a place.
      select v_cap.running + count(*), v_cap.vram_mib + coalesce(sum(b.mib), 0)
        into v_cap.running, v_cap.vram_mib
        from unnest(v_whose, v_mib) as b (project_id, mib)
       where b.project_id = v_cap.project_id;
      continue when fleet._under_cap(v_cap, v_shape) < 1;
    end if;
    v_tries := v_tries + 1;
    select b.* into v_best from fleet._best_place(v_shape, v_now, v_head.job_id) as b;
    continue when v_best.node_id is null;
    v_some := v_some + 1;
    -- What the cap keeps for this one is counted already.
    if v_cap.project_id is not null and (v_cap.kept_class is null or v_cap.kept_job <> v_head.job_id) then
      v_whose := v_whose || v_cap.project_id;
      v_mib := v_mib || v_shape.gpus * v_shape.vram_mib::bigint;
    end if;
    if v_best.free_at <= v_now then
      -- It fits: by its turn, or at once where a place was kept for it; since when, says whether something else is in its way.
      update fleet.reservations as r set begins_at = v_now where r.job_id = v_head.job_id and r.begins_at > v_now;
      continue;
    end if;
    if v_head.priority = 'urgent' then
      v_asked := v_asked + fleet._preempt(v_shape, v_now);
      select b.* into v_best from fleet._best_place(v_shape, v_now, v_head.job_id) as b;
    end if;
    insert into fleet.reservations as r (job_id, node_id, begins_at, made_at)
    values (v_head.job_id, v_best.node_id, v_best.free_at, v_now)
        on conflict (job_id) do update set node_id = excluded.node_id, begins_at = excluded.begins_at;
  end loop;
  if exists (select from fleet.caps) then
    perform fleet._keep_caps(v_now, v_since);
  end if;
  return jsonb_build_object('kept', (select count(*) from fleet.reservations), 'preempted', v_asked);
end
$$;

-- _best_place: the node that will have room for a job first. The one that keeps its place stays in the running until the time
-- that was promised, also while it does not look like it: memory that a job gave back since the last sample looks like an
-- outsider's, and a place must not move for that.
create function fleet._best_place(p_shape fleet.shapes, p_now timestamptz, p_job uuid)
  returns table (node_id bigint, free_at timestamptz)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with free as materialized (
    select f.node_id, f.free_at, f.size_mib from fleet._free_times(p_shape, p_now, p_job) as f
  )
  select n.node_id, n.free_at
    from (select f.node_id, f.free_at, f.size_mib from free as f
           union all
          select r.node_id, r.begins_at, 0
            from fleet.reservations as r
            join fleet._live_nodes(p_now) as l on l.node_id = r.node_id
           where r.job_id = p_job
             and r.begins_at > p_now
             and not exists (select from free as f where f.node_id = r.node_id)) as n
   order by n.free_at, n.size_mib, n.node_id
   limit 1
$$;

-- _live_nodes: nodes that take work, with what decides whether they may serve a shape.
create function fleet._live_nodes(p_now timestamptz)
  returns table (node_id bigint, session_id uuid, kinds text[], labels jsonb, pools text[])
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select n.node_id, s.session_id, s.kinds, n.facts || n.labels, n.pools
    from fleet.sessions as s
    join fleet.session_beats as b on b.session_id = s.session_id
    join fleet.nodes as n on n.node_id = s.node_id
    join fleet.settings as t on t.one
   where s.ended_at is null
     and not n.draining
     and b.beat_at > p_now - make_interval(secs => t.lease_s)
$$;

-- _starving: the heads of lanes that have stood ready since before p_since, in the order of claims; class low only while
-- it is owed its minimum share, or alone.
--
-- Only what something smaller could pass for ever: where nothing that is ready, or became so in the last minute, needs less of
-- anything, all that is given back is large enough sooner or later, and the order of claims alone decides who gets it. A place
-- kept then would only set age against the shares. What is urgent may need others to give way, whatever their size. And only
-- what the caps of its project let start: nobody else could have the place; and what some live node serves at all, else it would
-- stand before those that can be helped.
--
-- p_lanes  so many of each shape and class are looked at, at most
-- Returns  cap: what it may have of its project's caps; null where there are none
create function fleet._starving(p_now timestamptz, p_since timestamptz, p_lanes integer, p_most integer)
  returns table (job_id uuid, lane_id bigint, shape_id bigint, priority fleet.priority, cap fleet.caps)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with heads as (
    select l.*
      from (select a.shape_id, a.priority from fleet._asked_by_all() as a) as a
     cross join lateral (select l.lane_id, l.shape_id, l.priority, l.rank, l.head_key, l.project_id
                           from fleet.lanes as l
                          where l.active and not l.paused and l.shape_id = a.shape_id and l.priority = a.priority
                          order by l.rank, l.project_id, l.head_key
                          limit p_lanes) as l
  ),
  least as materialized (
    select fleet._smallest(array_agg(a.shape_id)) as need
      from (select a.shape_id from fleet._asked_by_all() as a
             union
            -- What is claimed as fast as it comes is seldom seen ready.
            select l.shape_id from fleet.lanes as l where not l.active and l.active_at > p_since - interval '1 min') as a
  ),
  passable as materialized (
    select r.job_id, h.lane_id, h.shape_id, h.priority, h.rank, r.order_key, c.cap
      from heads as h
     cross join lateral (select r.job_id, r.order_key
                           from fleet.ready as r
                          where r.lane_id = h.lane_id and r.order_key >= h.head_key
                          order by r.order_key
                          limit 1) as r
      join fleet.shapes as s on s.shape_id = h.shape_id
     cross join least as x
     cross join lateral (select fleet._cap_for(fleet._cap_now(h.project_id), h.priority, r.order_key) as cap) as c
     where (fleet._passable(s, x.need) or h.priority = 'urgent')
       and r.order_key < extract(epoch from p_since) * 1000000
       and (h.priority > 'low' or (select fleet._low_waits_for_nobody()))
       and coalesce(fleet._under_cap(c.cap, s) > 0, true)
  ),
  served as materialized (
    select x.shape_id from unnest(fleet._served(array(select distinct p.shape_id from passable as p), p_now, false)) as x (shape_id)
  )
  select p.job_id, p.lane_id, p.shape_id, p.priority, p.cap
    from passable as p
    join served as s on s.shape_id = p.shape_id
   order by p.priority desc, p.rank, p.order_key
   limit p_most
$$;

-- _smallest: the least that any of these shapes needs of each thing; what needs none of it does not compete for it.
create function fleet._smallest(p_shapes bigint[])
  returns fleet.shapes
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_populate_record(null::fleet.shapes, jsonb_build_object(
           'gpus', min(s.gpus) filter (where s.gpus > 0), 'vram_mib', min(s.vram_mib) filter (where s.gpus > 0),
           'cpu_milli', min(nullif(s.cpu_milli, 0)), 'ram_mib', min(nullif(s.ram_mib, 0)), 'disk_mib', min(nullif(s.disk_mib, 0))))
    from fleet.shapes as s
   where s.shape_id = any(p_shapes)
$$;

-- _low_waits_for_nobody: whether class low is owed its minimum share, or is alone.
create function fleet._low_waits_for_nobody()
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select (select r.low_first from fleet.rankings as r order by r.era desc limit 1)
         or not exists (select from fleet._asked_by_all() as a where a.priority > 'low')
$$;

-- _served: those of these shapes that some live node may run and would have room for if it were empty. Each node is looked at
-- once, whatever the shapes; and of nodes that are alike, of which a fleet has many, one.
--
-- p_free   without what outsiders hold, by the last sample, and without devices that are out of work
create function fleet._served(p_shapes bigint[], p_now timestamptz, p_free boolean)
  returns bigint[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if p_shapes = '{}' then
    return p_shapes;
  end if;
  return array(
    with sort as materialized (
      select distinct n.kinds, n.labels, n.pools, o.cpu_milli, o.disk_mib, d.host_mib, d.on_host, d.gpu_mib
        from fleet._live_nodes(p_now) as n
        join fleet.nodes as o on o.node_id = n.node_id
       cross join lateral (select max(d.mib) filter (where d.idx = -1) as host_mib,
                                  bool_or(d.takes_vram) filter (where d.idx = -1) as on_host,
                                  array_agg(d.mib order by d.mib desc) filter (where d.idx > -1 and d.takes_vram) as gpu_mib
                             from (select d.idx, d.takes_vram,
                                          d.total_mib - d.headroom_mib
                                          - case when p_free then greatest(0, d.total_mib - coalesce(d.free_mib, d.total_mib)
                                                                              - coalesce(b.mib, 0)) else 0 end as mib
                                     from fleet.devices as d
                                     left join fleet.bookings as k on p_free and k.node_id = d.node_id
                                     left join lateral unnest(k.idx, k.mib) as b (idx, mib) on b.idx = d.idx
                                    where d.node_id = n.node_id and not (p_free and d.fault is not null)) as d) as d
    )
    select s.shape_id
      from fleet.shapes as s
     where s.shape_id = any(p_shapes)
       and exists (select from sort as n
                    where s.kind = any(n.kinds)
                      and fleet._suits(s, n.labels, n.pools)
                      and s.cpu_milli <= n.cpu_milli and s.disk_mib <= n.disk_mib and s.ram_mib <= n.host_mib
                      and (s.gpus = 0
                           or s.device in ('any', 'gpu') and s.vram_mib <= n.gpu_mib[s.gpus]
                           or s.device in ('any', 'ram') and s.gpus = 1 and n.on_host and s.vram_mib + s.ram_mib <= n.host_mib)));
end
$$;

-- _asked_by_all: every (shape, class) with active lanes.
create function fleet._asked_by_all()
  returns table (shape_id bigint, priority fleet.priority)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select a.shape_id, a.priority
    from fleet._asked((select array_agg(k.kind) from fleet.kinds as k), null, null, '-infinity', true) as a
$$;

-- _room_then: the room of a node as the database knows it, when the leases that end by p_at have given back theirs. An
-- estimate: what outsiders use is what the last sample did not explain.
create function fleet._room_then(p_node bigint, p_session uuid, p_at timestamptz)
  returns fleet.room
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_room fleet.room;
begin
  select array_agg(d.idx order by d.idx = -1, d.idx), array_agg(d.kind order by d.idx = -1, d.idx),
         array_agg(d.takes_vram and d.fault is null order by d.idx = -1, d.idx),
         array_agg((d.total_mib - d.headroom_mib - greatest(0, d.total_mib - coalesce(d.free_mib, d.total_mib) - d.booked)
                    - d.booked + d.back)::integer order by d.idx = -1, d.idx)
    into v_room.idx, v_room.kind, v_room.takes, v_room.claimable
    from (select d.*, coalesce(sum(l.mib), 0) as booked, coalesce(sum(l.mib) filter (where l.ends_at <= p_at), 0) as back
            from fleet.devices as d
            left join lateral (select l.ends_at, case when d.idx = any(l.devices) then l.vram_mib else 0 end
                                                 + case when d.idx = -1 then l.ram_mib else 0 end as mib
                                 from fleet.leases as l
                                where l.session_id = p_session) as l on true
           where d.node_id = p_node
           group by d.node_id, d.idx) as d;
  select case when cardinality(h.failing) >= 3 then least(s.slots, 1) else s.slots end  -- as _measure
         - count(l.job_id) filter (where l.ends_at > p_at),
         n.cpu_milli - coalesce(sum(l.cpu_milli) filter (where l.ends_at > p_at), 0),
         n.disk_mib - coalesce(sum(l.disk_mib) filter (where l.ends_at > p_at), 0)
    into v_room.slots, v_room.cpu_milli, v_room.disk_mib
    from fleet.sessions as s
    join fleet.nodes as n on n.node_id = s.node_id
    left join fleet.node_health as h on h.node_id = n.node_id
    left join fleet.leases as l on l.session_id = s.session_id
   where s.session_id = p_session
   group by s.slots, h.failing, n.cpu_milli, n.disk_mib;
  return v_room;
end
$$;

-- _preempt: ask as little running work as can be to give way to a job of this shape, on the node where that is least.
--
-- Returns  how many attempts were asked
-- Locks    their leases, SKIP LOCKED
create function fleet._preempt(p_shape fleet.shapes, p_now timestamptz)
  returns integer
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_grace interval := make_interval(secs => (select s.preempt_grace_s from fleet.settings as s));
  v_node  record;
  v_lease record;
  v_room  fleet.room;
  v_some  uuid[];
  v_least uuid[];
begin
  for v_node in select n.node_id, n.session_id
                  from fleet._live_nodes(p_now) as n
                 where p_shape.kind = any(n.kinds)
                   and fleet._suits(p_shape, n.labels, n.pools)
                   and exists (select from fleet.leases as l where l.session_id = n.session_id and l.preemptible)
                 limit 200 loop
    v_some := '{}';
    -- What was asked before is on its way out.
    v_room := fleet._room_then(v_node.node_id, v_node.session_id, p_now + v_grace);
    for v_lease in select l.job_id, l.devices, l.vram_mib, l.ram_mib, l.cpu_milli, l.disk_mib
                     from fleet.leases as l
                    where l.session_id = v_node.session_id and l.preemptible and l.command is null
                      and l.ends_at > p_now + v_grace
                    order by cardinality(l.devices) * l.vram_mib desc, l.claimed_at desc loop
      exit when cardinality(fleet._places(v_room, p_shape, 1)) = 1;
      v_some := v_some || v_lease.job_id;
      v_room.slots := v_room.slots + 1;
      v_room.cpu_milli := v_room.cpu_milli + v_lease.cpu_milli;
      v_room.disk_mib := v_room.disk_mib + v_lease.disk_mib;
      v_room.claimable := array(
        select c.mib + case when c.idx = any(v_lease.devices) then v_lease.vram_mib else 0 end
               + case when c.idx = -1 then v_lease.ram_mib else 0 end
          from unnest(v_room.claimable, v_room.idx) with ordinality as c (mib, idx, at)
         order by c.at);
    end loop;
    if cardinality(fleet._places(v_room, p_shape, 1)) = 1
       and (v_least is null or cardinality(v_some) < cardinality(v_least)) then
      v_least := v_some;
    end if;
  end loop;
  with chosen as (
    select l.job_id from fleet.leases as l where l.job_id = any(v_least) and l.command is null for update skip locked
  ),
  told as (
    update fleet.leases as l
       set command = 'preempt', ends_at = least(l.ends_at, p_now + v_grace)
      from chosen as c
     where l.job_id = c.job_id
    returning l.session_id
  )
  select array_agg(distinct t.session_id) into v_some from told as t;
  perform pg_notify('fleet_' || replace(s.session_id::text, '-', ''), 'preempt') from unnest(v_some) as s (session_id);
  return coalesce(cardinality(v_least), 0);
end
$$;
