-- _lanes_for: the lane of each submission; shapes, needs and lanes are made when seen for the first time.
--
-- Each is looked up by its key, in a subquery of its own: joined, they would be planned for a few jobs of a project without
-- needs, and of many jobs each would be held against all needs. A shape is of one kind, so a need is known without it, and
-- no index but that of its key will do.
--
-- Locks    when a lane is made: the project row, SHARE (a pause of the project and a new lane exclude each other), then its
--          needs and those that learn with them, SHARE, ascending
create function fleet._lanes_for(p_project uuid, p_items fleet.submission[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lanes bigint[];
  v_new   bigint[];
  v_pools text[] := (select p.trusted_pools from fleet.projects as p where p.project_id = p_project);
begin
  for v_try in 1..2 loop
    with wanted as (select * from fleet._wanted(p_items))
    select array_agg(l.lane_id order by w.place)
      into v_lanes
      from wanted as w
      left join lateral (select s.shape_id
                           from fleet.shapes as s
                          where (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels, s.kind)
                              = (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind)
                            and s.pools is not distinct from v_pools
                          limit 1) as s on true
      left join lateral (select n.need_id
                           from fleet.needs as n
                          where (n.project_id, n.declared_shape_id, n.stated, n.model_key, n.size_key)
                              = (p_project, s.shape_id, w.stated, w.model_key, w.size_key)
                          limit 1) as n on true
      left join lateral (select l.lane_id
                           from fleet.lanes as l
                          where (l.project_id, l.priority, l.need_id) = (p_project, w.priority, n.need_id)
                          limit 1) as l on true;
    if array_position(v_lanes, null) is null then
      return v_lanes;
    end if;

    select p.trusted_pools into v_pools from fleet.projects as p where p.project_id = p_project for share;
    insert into fleet.shapes (gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, labels, kind, pools)
    select distinct w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind, v_pools
      from fleet._wanted(p_items) as w
        on conflict do nothing;
    -- Held still before and after: a new need begins with all that those before it have learned, and none gets another
    -- shape between this look at it and the new lane.
    perform fleet._keep_still(p_project, p_items);
    with made as (
      insert into fleet.needs (project_id, kind, model_key, size_key, declared_shape_id, stated, shape_id, run_s, recent_run_s,
                               recent_peak_mib, learned_mib, raised_mib, raised_ram_mib, raised_until, outgrown)
      select p_project, w.kind, w.model_key, w.size_key, s.shape_id, w.stated, s.shape_id, o.run_s,
             coalesce(o.recent_run_s, '{}'), coalesce(o.recent_peak_mib, '{}'), o.learned_mib, o.raised_mib,
             o.raised_ram_mib, o.raised_until, coalesce(o.outgrown, false)
        from (select distinct w.kind, w.model_key, w.size_key, w.stated, w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib,
                              w.disk_mib, w.device, w.labels
                from fleet._wanted(p_items) as w) as w
       cross join lateral (select s.shape_id
                             from fleet.shapes as s
                            where (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels, s.kind)
                                = (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind)
                              and s.pools is not distinct from v_pools
                            limit 1) as s
        join fleet.kinds as k on k.kind = w.kind
        left join lateral (select n.*
                             from fleet.needs as n
                            where (n.kind, n.model_key, n.size_key) = (w.kind, w.model_key, w.size_key)
                              and (k.shared_learning or n.project_id = p_project)
                            order by n.need_id
                            limit 1) as o on true
          on conflict do nothing
      returning need_id
    )
    select array_agg(m.need_id) into v_new from made as m;
    perform fleet._keep_still(p_project, p_items);
    perform fleet._fit_needs(v_new);
    insert into fleet.lanes (project_id, priority, need_id, shape_id, paused)
    select distinct p_project, w.priority, n.need_id, n.shape_id,
           fleet._born_paused(p, w.priority, w.kind)
      from fleet._wanted(p_items) as w
     cross join lateral (select s.shape_id
                           from fleet.shapes as s
                          where (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels, s.kind)
                              = (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind)
                            and s.pools is not distinct from v_pools
                          limit 1) as s
     cross join lateral (select n.need_id, n.shape_id
                           from fleet.needs as n
                          where (n.project_id, n.declared_shape_id, n.stated, n.model_key, n.size_key)
                              = (p_project, s.shape_id, w.stated, w.model_key, w.size_key)
                          limit 1) as n
      join fleet.projects as p on p.project_id = p_project
        on conflict do nothing;
  end loop;
  raise exception 'a lane just made is not there';
end
$$;

-- _keep_still: the needs these submissions have or learn from keep what they know until the commit.
--
-- Locks    needs, SHARE, ascending
create function fleet._keep_still(p_project uuid, p_items fleet.submission[])
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform 1
     from fleet.needs as n
    where n.need_id = any(array(select o.need_id
                                  from (select distinct w.kind, w.model_key, w.size_key from fleet._wanted(p_items) as w) as w
                                  join fleet.kinds as k on k.kind = w.kind
                                 cross join lateral (select n.need_id
                                                       from fleet.needs as n
                                                      where (n.kind, n.model_key, n.size_key) = (w.kind, w.model_key, w.size_key)
                                                        and (k.shared_learning or n.project_id = p_project)
                                                     offset 0) as o))
    order by n.need_id
      for share of n;
end
$$;

-- _size_key: the parameters that decide the size of a job, as one text; of a list only its length counts. A long text
-- becomes its hash: values are the client's. (plpgsql: a submission is one call, and this keeps its plan from one to the next.)
create function fleet._size_key(p_names text[], p_params jsonb, p_gpus integer, p_usual_gpus integer)
  returns text
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key   text := case when p_gpus <> p_usual_gpus then format(' gpus=%s', p_gpus) else '' end;
  v_name  text;
  v_value text;
begin
  foreach v_name in array p_names loop
    v_value := p_params ->> v_name;
    if v_value is not null then
      v_key := v_key || ' ' || v_name || '='
               || case when jsonb_typeof(p_params -> v_name) = 'array' then format('[%s]', jsonb_array_length(p_params -> v_name))
                       else v_value end;
    end if;
  end loop;
  v_key := ltrim(v_key);
  return case when length(v_key) <= 200 then v_key else left(encode(sha256(convert_to(v_key, 'UTF8')), 'hex'), 32) end;
end
$$;

-- _wanted: what each submission needs, its own words over those of its kind. As _items, inlined.
create function fleet._wanted(p_items fleet.submission[])
  returns table (place bigint, kind text, model_key text, size_key text, stated boolean, priority fleet.priority, gpus integer,
                 vram_mib integer, cpu_milli integer, ram_mib integer, disk_mib integer, device text, labels jsonb)
  language sql
  stable
begin atomic
  select i.place, i.kind, coalesce(i.params ->> k.model_param, ''),
         case when k.size_params = '{}' and g.gpus = k.gpus then ''
              else fleet._size_key(k.size_params, i.params, g.gpus, k.gpus) end,
         i.need ->> case when g.gpus = 0 then 'ram_mib' else 'vram_mib' end is not null,
         coalesce(i.priority, 'normal'),
         g.gpus,
         case when g.gpus = 0 then 0 else coalesce((i.need ->> 'vram_mib')::integer, k.vram_mib) end,
         coalesce((i.need ->> 'cpu_milli')::integer, k.cpu_milli),
         coalesce((i.need ->> 'ram_mib')::integer, k.ram_mib),
         coalesce((i.need ->> 'disk_mib')::integer, k.disk_mib),
         coalesce(i.need ->> 'device', k.device),
         coalesce(nullif(i.need -> 'labels', 'null'), '{}')
    from fleet._items(p_items) as i
    join fleet.kinds as k on k.kind = i.kind
   cross join lateral (select coalesce((i.need ->> 'gpus')::integer, k.gpus) as gpus) as g;
end;
