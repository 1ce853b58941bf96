-- _free_times: when each live node that may serve a shape will have room for one job of it, by when its leases should end;
-- nodes that never will, not even empty, are left out.
--
-- p_job    a place kept for another job rules a node out, unless this one is urgent and the other is not
-- p_most   nodes looked at: a good place is wanted, not the best of ten thousand
-- Returns  (node_id, session_id, free_at, size_mib), p_now where there is room now
--
-- Leases only give back, so each resource has one moment from which it is enough: a node is free at the latest of them, and
-- of its devices the k-th counts. An estimate: what outsiders use is what the last sample did not explain.
create function fleet._free_times(p_shape fleet.shapes, p_now timestamptz, p_job uuid, p_most integer default 200)
  returns table (node_id bigint, session_id uuid, free_at timestamptz, size_mib bigint)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with node as materialized (
    select n.node_id, n.session_id, case when cardinality(h.failing) >= 3 then least(s.slots, 1) else s.slots end as slots,  -- as _measure
           o.cpu_milli, o.disk_mib, b.held, b.cpu_milli as cpu_booked, b.disk_mib as disk_booked,
           b.idx, b.mib
      from fleet._live_nodes(p_now) as n
      join fleet.sessions as s on s.session_id = n.session_id
      join fleet.nodes as o on o.node_id = n.node_id
      join fleet.bookings as b on b.node_id = n.node_id
      left join fleet.node_health as h on h.node_id = n.node_id
      left join fleet.jobs as own on own.job_id = p_job
     where p_shape.kind = any(n.kinds)
       and fleet._suits(p_shape, n.labels, n.pools)
       and (p_shape.gpus = 0
            or (select count(*) from fleet.devices as d
                 where d.node_id = n.node_id and d.takes_vram and d.fault is null and p_shape.device in ('any', d.kind)
                   and d.total_mib - d.headroom_mib >= p_shape.vram_mib) >= p_shape.gpus)
       and not exists (select from fleet.reservations as r
                         join fleet.jobs as k on k.job_id = r.job_id
                        where r.node_id = n.node_id
                          and r.job_id is distinct from p_job
                          and not coalesce(k.priority < 'urgent' and own.priority = 'urgent', false))
     limit p_most
  ),
  device as materialized (
    select d.node_id, d.idx, d.total_mib,
           d.takes_vram and d.fault is null and p_shape.device in ('any', d.kind) as takes,
           d.total_mib - d.headroom_mib
           - greatest(0, d.total_mib - coalesce(d.free_mib, d.total_mib) - coalesce(b.mib, 0)) as at_most,
           coalesce(b.mib, 0) as booked
      from node as n
      join fleet.devices as d on d.node_id = n.node_id
      left join lateral unnest(n.idx, n.mib) as b (idx, mib) on b.idx = d.idx
  ),
  resource (node_id, what, at_most, booked, need) as (
    -- Devices by their idx; -2 CPU, -3 disk, -4 slots, -5 host memory.
    select d.node_id, d.idx, d.at_most, d.booked, p_shape.vram_mib + case when d.idx = -1 then p_shape.ram_mib else 0 end
      from device as d where d.takes and p_shape.gpus > 0
     union all
    select n.node_id, -2, n.cpu_milli, n.cpu_booked, p_shape.cpu_milli from node as n
     union all
    select n.node_id, -3, n.disk_mib, n.disk_booked, p_shape.disk_mib from node as n
     union all
    select n.node_id, -4, n.slots, n.held, 1 from node as n
     union all
    select d.node_id, -5, d.at_most, d.booked, p_shape.ram_mib from device as d where d.idx = -1
  ),
  given as (
    select l.node_id, g.what, l.ends_at,
           sum(g.amount) over (partition by l.node_id, g.what order by l.ends_at) as amount
      from node as n
      join fleet.leases as l on l.session_id = n.session_id
     cross join lateral (select d.idx, l.vram_mib + case when d.idx = -1 then l.ram_mib else 0 end
                           from unnest(l.devices) as d (idx)
                          union all
                         select v.what, v.amount
                           from (values (-2, l.cpu_milli), (-3, l.disk_mib), (-4, 1), (-5, l.ram_mib)) as v (what, amount)
                          union all
                         select -1, l.ram_mib where not -1 = any(l.devices)) as g (what, amount)
  ),
  enough as (
    select r.node_id, r.what,
           case when r.at_most - r.booked >= r.need then p_now
                when r.at_most >= r.need
                then greatest(p_now + interval '1 s',  -- what should have ended and has not will, any moment
                              (select min(g.ends_at) from given as g
                                where g.node_id = r.node_id and g.what = r.what
                                  and r.at_most - r.booked + g.amount >= r.need)) end as at
      from resource as r
  ),
  kth as (
    select e.node_id, e.at, row_number() over (partition by e.node_id order by e.at) as place
      from enough as e where e.what >= -1 and e.at is not null
  )
  select n.node_id, n.session_id, greatest(h.at, k.at),
         (select sum(d.total_mib) from device as d where d.node_id = n.node_id)
    from node as n
    join (select e.node_id, max(e.at) as at from enough as e where e.what < -1
           group by e.node_id having bool_and(e.at is not null)) as h on h.node_id = n.node_id
    left join kth as k on k.node_id = n.node_id and k.place = p_shape.gpus
   where p_shape.gpus = 0 or k.at is not null
$$;
