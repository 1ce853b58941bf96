-- _fit_needs: these needs (whose rows the caller has locked) get the shapes that hold now; what is queued follows.
--
-- Returns  how many changed
-- Locks    lanes, ascending (_reshape)
create function fleet._fit_needs(p_needs bigint[])
  returns integer
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_moved bigint[];
begin
  if p_needs is null then
    return 0;
  end if;
  insert into fleet.shapes (gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, labels, kind, pools)
  select distinct w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind, w.pools
    from fleet._shapes_now(p_needs) as w
   where not w.fits
      on conflict do nothing;
  with moved as (
    update fleet.needs as n
       set shape_id = s.shape_id
      from fleet._shapes_now(p_needs) as w
      join fleet.shapes as s
        on (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels, s.kind)
         = (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind)
       and s.pools is not distinct from w.pools
     where n.need_id = w.need_id
       and not w.fits
    returning n.need_id
  )
  select array_agg(m.need_id) into v_moved from moved as m;
  if v_moved is not null then
    perform fleet._reshape(v_moved);
  end if;
  return coalesce(cardinality(v_moved), 0);
end
$$;

-- _shapes_now: what each need is by what was declared, learned and raised; `fits` where its shape says so already.
--
-- What is learned lowers device memory alone, and only where the submission did not name it. Host memory is cheap, and
-- what is measured of it (resident) is less than what its limit counts (allocated): there it only raises, as for a promise
-- that was outgrown. It never asks for more than some node could give, unless more was declared.
create function fleet._shapes_now(p_needs bigint[])
  returns table (need_id bigint, fits boolean, gpus integer, vram_mib integer, cpu_milli integer, ram_mib integer,
                 disk_mib integer, device text, labels jsonb, kind text, pools text[])
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select n.need_id, (s.vram_mib, s.ram_mib) = (x.vram_mib, x.ram_mib), d.gpus, x.vram_mib, d.cpu_milli, x.ram_mib, d.disk_mib,
         d.device, d.labels, d.kind, d.pools
    from fleet.needs as n
    join fleet.shapes as d on d.shape_id = n.declared_shape_id
    join fleet.shapes as s on s.shape_id = n.shape_id
   cross join lateral (select case when d.gpus = 0 then d.ram_mib else d.vram_mib end as declared) as m
   cross join lateral (select case when n.learned_mib > m.declared
                                   then greatest(m.declared,
                                                 least(n.learned_mib,
                                                       fleet._top_mib(d, case when d.gpus = 0 then 'ram' else 'vram' end)))
                                   else n.learned_mib end as learned) as l
   cross join lateral (select case when d.gpus > 0 and not n.stated then coalesce(l.learned, m.declared)
                                   when n.outgrown then greatest(m.declared, l.learned)
                                   else m.declared end as mib) as b
   cross join lateral (select case when d.gpus = 0 then d.vram_mib
                                   else greatest(b.mib, n.raised_mib) end as vram_mib,
                              greatest(case when d.gpus = 0 then b.mib else d.ram_mib end, n.raised_ram_mib) as ram_mib) as x
   where n.need_id = any(p_needs)
$$;

-- _learning_with: these needs, and those that learn with them: same kind, model and size; of all projects where the code is
-- ours, else of the same project.
create function fleet._learning_with(p_needs bigint[])
  returns bigint[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array(select n.need_id
                 from fleet.needs as o
                 join fleet.kinds as k on k.kind = o.kind
                 join fleet.needs as n
                   on (n.kind, n.model_key, n.size_key) = (o.kind, o.model_key, o.size_key)
                  and (k.shared_learning or n.project_id = o.project_id)
                where o.need_id = any(p_needs))
$$;

-- _hold_needs: lock these needs and those that learn with them, to change them.
--
-- Returns  all of them
-- Locks    needs, ascending; then those that were made while this waited: whoever makes one holds the others SHARE
create function fleet._hold_needs(p_needs bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_needs bigint[];
begin
  v_needs := fleet._learning_with(p_needs);
  perform 1 from fleet.needs as n where n.need_id = any(v_needs) order by n.need_id for no key update;
  v_needs := fleet._learning_with(p_needs);
  perform 1 from fleet.needs as n where n.need_id = any(v_needs) order by n.need_id for no key update;
  return v_needs;
end
$$;

-- _top_mib: the most memory that some node has for a job of this shape: on each of its devices, or of the host. Of the nodes
-- that run its kind and were there within a day: machines come and go, but a need is not raised for one that is gone.
--
-- A little less than all of it: even an empty device is never wholly free. Null when there is no such node.
create function fleet._top_mib(p_shape fleet.shapes, p_memory text)
  returns integer
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select max(x.mib[case when p_memory = 'ram' then 1 else p_shape.gpus end])
    from (select array_agg(((d.total_mib - d.headroom_mib) * 0.98)::integer
                           - case when d.idx = -1 and p_memory = 'vram' then p_shape.ram_mib else 0 end
                           order by d.total_mib - d.headroom_mib desc) as mib
            from fleet.nodes as n
            join fleet.devices as d on d.node_id = n.node_id
           where case p_memory when 'ram' then d.idx = -1
                               else d.takes_vram and (p_shape.device = 'any' or p_shape.device = d.kind) end
             and fleet._suits(p_shape, n.facts || n.labels, n.pools)
             -- All sessions once, not once for each node: the clock, as it is no constant, would keep this from being a join.
             and n.node_id in (select s.node_id from fleet.sessions as s
                                where p_shape.kind = any(s.kinds)
                                  and (s.ended_at is null or s.ended_at > (select fleet.now()) - interval '1 day'))
           group by n.node_id) as x
$$;

-- _mib: an amount of memory as it is kept, in whole MiB: as much as a job may ask for, at most. Null stays null. An expression,
-- so that it is inlined.
--
-- A peak is what a runner says, with a user's code in it: no size may make the settle fail, nor what is learned of all others.
create function fleet._mib(p_mib numeric)
  returns integer
  language sql
  immutable
  return case when p_mib is not null then least(greatest(p_mib, 0), 16777216)::integer end;

-- _quantised: memory rounded up, so that shapes stay few: to 256 MiB, or to a sixteenth of its own size.
create function fleet._quantised(p_mib double precision)
  returns integer
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select fleet._mib((ceil(p_mib / q.step) * q.step)::numeric)
    from (select greatest(256, 2 ^ (floor(log(2, greatest(p_mib, 1)::numeric)) - 4))::double precision as step) as q
$$;
