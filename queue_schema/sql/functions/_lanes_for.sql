-- _lanes_for: the lane of each submission; shapes, needs and lanes are made when seen for the first time.
--
-- Locks    when a lane is made: the project row, SHARE (a pause of the project and a new lane exclude each other), then its
--          needs, SHARE, ascending
create function fleet._lanes_for(p_project uuid, p_items fleet.submission[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lanes bigint[];
  v_pools text[] := (select p.trusted_pools from fleet.projects as p where p.project_id = p_project);
begin
  for v_try in 1..2 loop
    with wanted as (select * from fleet._wanted(p_items))
    select array_agg(l.lane_id order by w.place)
      into v_lanes
      from wanted as w
      left join fleet.shapes as s
        on (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels, s.kind)
         = (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind)
       and s.pools is not distinct from v_pools
      left join fleet.needs as n
        on n.project_id = p_project and n.kind = w.kind and n.model_key = w.model_key and n.declared_shape_id = s.shape_id
      left join fleet.lanes as l
        on l.project_id = p_project and l.priority = w.priority and l.need_id = n.need_id;
    if array_position(v_lanes, null) is null then
      return v_lanes;
    end if;

    select p.trusted_pools into v_pools from fleet.projects as p where p.project_id = p_project for share;
    insert into fleet.shapes (gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, labels, kind, pools)
    select distinct w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind, v_pools
      from fleet._wanted(p_items) as w
        on conflict do nothing;
    insert into fleet.needs (project_id, kind, model_key, declared_shape_id, shape_id)
    select distinct p_project, w.kind, w.model_key, s.shape_id, s.shape_id
      from fleet._wanted(p_items) as w
      join fleet.shapes as s
        on (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels, s.kind)
         = (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind)
       and s.pools is not distinct from v_pools
        on conflict do nothing;
    -- Held still, so that no need gets another shape between this look at it and the new lane.
    perform 1 from fleet.needs as n where n.project_id = p_project order by n.need_id for share;
    insert into fleet.lanes (project_id, priority, need_id, shape_id, paused)
    select distinct p_project, w.priority, n.need_id, n.shape_id,
           w.priority = any(p.paused)
           or exists (select from fleet.lanes as x join fleet.needs as y on y.need_id = x.need_id
                       where x.project_id = p_project and x.priority = w.priority and y.kind = w.kind and x.paused)
      from fleet._wanted(p_items) as w
      join fleet.shapes as s
        on (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels, s.kind)
         = (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind)
       and s.pools is not distinct from v_pools
      join fleet.needs as n
        on n.project_id = p_project and n.kind = w.kind and n.model_key = w.model_key and n.declared_shape_id = s.shape_id
      join fleet.projects as p on p.project_id = p_project
        on conflict do nothing;
  end loop;
  raise exception 'a lane just made is not there';
end
$$;

-- _wanted: what each submission needs, its own words over those of its kind.
create function fleet._wanted(p_items fleet.submission[])
  returns table (place bigint, kind text, model_key text, priority fleet.priority, gpus integer, vram_mib integer,
                 cpu_milli integer, ram_mib integer, disk_mib integer, device text, labels jsonb)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select i.place, i.kind, coalesce(i.params ->> k.model_param, ''), coalesce(i.priority, 'normal'),
         coalesce((i.need ->> 'gpus')::integer, k.gpus),
         case when coalesce((i.need ->> 'gpus')::integer, k.gpus) = 0 then 0
              else coalesce((i.need ->> 'vram_mib')::integer, k.vram_mib) end,
         coalesce((i.need ->> 'cpu_milli')::integer, k.cpu_milli),
         coalesce((i.need ->> 'ram_mib')::integer, k.ram_mib),
         coalesce((i.need ->> 'disk_mib')::integer, k.disk_mib),
         coalesce(i.need ->> 'device', k.device),
         coalesce(nullif(i.need -> 'labels', 'null'), '{}')
    from fleet._items(p_items) as i
    join fleet.kinds as k on k.kind = i.kind
$$;
