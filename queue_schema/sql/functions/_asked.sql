-- _suits: whether a node with these labels and pools may run jobs of a shape, by what their owners say; not whether it can.
-- Here, since what is inlined must be there before what it is inlined into.
create function fleet._suits(p_shape fleet.shapes, p_labels jsonb, p_pools text[])
  returns boolean
  language sql
  immutable
  return ((p_shape).pools is null or (p_shape).pools && p_pools) and ((p_shape).labels = '{}' or p_labels @> (p_shape).labels);

-- _passable: whether something smaller could pass a job of this shape for ever, when p_smallest is the least that is needed of
-- each thing. Among equals the order of claims decides.
create function fleet._passable(p_shape fleet.shapes, p_smallest fleet.shapes)
  returns boolean
  language sql
  immutable
  return coalesce((p_smallest).gpus < (p_shape).gpus or (p_shape).gpus > 0 and (p_smallest).vram_mib < (p_shape).vram_mib
                  or (p_smallest).cpu_milli < (p_shape).cpu_milli or (p_smallest).ram_mib < (p_shape).ram_mib
                  or (p_smallest).disk_mib < (p_shape).disk_mib, false);

-- _asked: the shapes with active lanes that a node may serve, and their classes; what is free is not looked at.
--
-- p_floor no active lane has a smaller rank; p_anywhere whatever the labels and pools
--
-- Walks from one (shape, class) to the next in the index: its cost is that of the distinct ones, whatever stands in them.
-- Without a SET clause, so that it is inlined.
create function fleet._asked(p_kinds text[], p_labels jsonb, p_pools text[], p_floor double precision,
                             p_anywhere boolean default false)
  returns table (shape_id bigint, priority fleet.priority)
  language sql
  stable
begin atomic
  with recursive walk (shape_id, priority) as (
    (select l.shape_id, l.priority
       from fleet.lanes as l
      where l.active and not l.paused and l.rank >= p_floor
      order by l.shape_id, l.priority
      limit 1)
     union all
    select n.shape_id, n.priority
      from walk as w
     cross join lateral (select l.shape_id, l.priority
                           from fleet.lanes as l
                          where l.active and not l.paused and l.rank >= p_floor
                            and (l.shape_id, l.priority) > (w.shape_id, w.priority)
                          order by l.shape_id, l.priority
                          limit 1) as n
  )
  select w.shape_id, w.priority
    from walk as w
   cross join lateral (select s.* from fleet.shapes as s where s.shape_id = w.shape_id limit 1) as s
   where s.kind = any(p_kinds)
     and not exists (select from fleet.kinds as k where k.kind = s.kind and k.quarantined)
     and (p_anywhere or fleet._suits(s, p_labels, p_pools));
end;

-- _roomy: of these shapes, those for which there may be room; a cheap look, _places has the last word. Inlined, as _asked.
create function fleet._roomy(p_room fleet.room, p_shapes bigint[], p_classes fleet.priority[])
  returns table (shape_id bigint, priority fleet.priority)
  language sql
  stable
begin atomic
  select a.shape_id, a.priority
    from unnest(p_shapes, p_classes) as a (shape_id, priority)
   cross join lateral (select s.* from fleet.shapes as s where s.shape_id = a.shape_id limit 1) as s
   cross join (select array(select c.mib from unnest((p_room).claimable, (p_room).takes) as c (mib, takes)
                             where c.takes order by c.mib desc) as mib) as big
   where s.cpu_milli <= (p_room).cpu_milli
     and s.disk_mib <= (p_room).disk_mib
     and s.ram_mib <= (p_room).claimable[cardinality((p_room).claimable)]
     and (s.gpus = 0 or s.vram_mib <= big.mib[s.gpus]);
end;

-- _next_turn: of the projects with active lanes of these shapes and this class, the one with the smallest rank after that of
-- p_gone. By place in the index, as it costs the same however many are before it. Inlined, as _asked.
create function fleet._next_turn(p_shapes bigint[], p_classes fleet.priority[], p_class fleet.priority, p_rank double precision,
                                 p_gone uuid)
  returns table (project_id uuid, rank double precision)
  language sql
  stable
begin atomic
  select l.project_id, l.rank
    from unnest(p_shapes, p_classes) as f (shape_id, priority)
   cross join lateral (select l.project_id, l.rank
                         from fleet.lanes as l
                        where l.active and not l.paused and l.shape_id = f.shape_id and l.priority = f.priority
                          and (l.rank, l.project_id) > (p_rank, p_gone)
                        order by l.rank, l.project_id
                        limit 1) as l
   where f.priority = p_class
   order by l.rank, l.project_id
   limit 1;
end;
