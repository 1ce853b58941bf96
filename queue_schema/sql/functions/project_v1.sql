-- project_v1: change what a project may have: {weight, max_running, max_vram_mib, trusted_pools}; null takes a limit away.
--
-- Caller   fleet_admin
-- Returns  {project, weight, max_running, max_vram_mib, running, vram_mib, trusted_pools} as they are now
-- Locks    the project row FOR UPDATE, its caps, its lanes ascending
-- Errors   JQ002 bad_request, JQ005 not_found
--
-- What runs when a cap is set counts at once. A claim that was under way and had seen no cap may still commit above it.
create function fleet.project_v1(p_project text, p_fields jsonb)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project fleet.projects;
  v_cap     fleet.caps;
  v_bad     text;
begin
  if p_fields <> '{}' then
    perform fleet._audit('project', jsonb_build_object('project', p_project, 'fields', p_fields));
  end if;
  select k.name into v_bad from jsonb_object_keys(p_fields) as k (name)
   where k.name not in ('weight', 'max_running', 'max_vram_mib', 'trusted_pools') limit 1;
  if found then
    raise exception using errcode = 'JQ002', column = v_bad, message = format('a project has no field %s to set', v_bad),
      hint = 'Use weight, max_running, max_vram_mib or trusted_pools.';
  end if;
  if p_fields -> 'trusted_pools' = '[]' then
    raise exception using errcode = 'JQ002', column = 'trusted_pools', message = 'a project trusts at least one pool, or all nodes',
      hint = 'Name pools; null is for all nodes.';
  end if;
  if p_fields ? 'weight' and (p_fields ->> 'weight')::numeric between 1e-6 and 1e6 is not true then
    raise exception using errcode = 'JQ002', column = 'weight',
      message = format('a weight is 0.000001 to 1,000,000, got %s', coalesce(p_fields ->> 'weight', 'null')), hint = '1 is usual.';
  end if;
  select c.name into v_bad
    from (values ('max_running', 2147483647), ('max_vram_mib', 1e15)) as c (name, most)
   where (p_fields ->> c.name)::numeric not between 0 and c.most
   limit 1;
  if found then
    raise exception using errcode = 'JQ002', column = v_bad,
      message = format('a cap is 0 to %s, got %s', case v_bad when 'max_running' then '2,147,483,647' else '10^15 MiB' end,
                       p_fields ->> v_bad),
      hint = 'null takes it away.';
  end if;
  select p.* into v_project from fleet.projects as p where p.name = p_project for no key update;
  if not found then
    raise exception using errcode = 'JQ005', message = format('there is no project %s', p_project), column = 'project',
      hint = 'It is made with its first key.';
  end if;

  update fleet.projects as p
     set weight = coalesce((p_fields ->> 'weight')::double precision, p.weight),
         trusted_pools = case when p_fields ? 'trusted_pools'
                              then (select array_agg(x.pool order by x.pool)
                                      from jsonb_array_elements_text(nullif(p_fields -> 'trusted_pools', 'null')) as x (pool))
                              else p.trusted_pools end
   where p.project_id = v_project.project_id
  returning p.* into v_project;
  if p_fields ? 'trusted_pools' then
    perform fleet._repool(v_project.project_id, v_project.trusted_pools);
  end if;

  if p_fields ?| array['max_running', 'max_vram_mib'] then
    perform fleet._set_cap(
      v_project.project_id,
      case when p_fields ? 'max_running' then (p_fields ->> 'max_running')::integer
           else (select c.max_running from fleet.caps as c where c.project_id = v_project.project_id) end,
      case when p_fields ? 'max_vram_mib' then (p_fields ->> 'max_vram_mib')::bigint
           else (select c.max_vram_mib from fleet.caps as c where c.project_id = v_project.project_id) end);
  end if;
  select c.* into v_cap from fleet.caps as c where c.project_id = v_project.project_id;
  return jsonb_build_object(
    'project', v_project.name, 'weight', v_project.weight, 'trusted_pools', to_jsonb(v_project.trusted_pools),
    'max_running', v_cap.max_running, 'max_vram_mib', v_cap.max_vram_mib,
    'running', coalesce((select count(*) from fleet.leases as l where l.project_id = v_project.project_id), 0),
    'vram_mib', coalesce((select sum(cardinality(l.devices) * l.vram_mib::bigint)
                            from fleet.leases as l where l.project_id = v_project.project_id), 0));
end
$$;

-- _set_cap: put caps on a project, or take them away when both are null.
--
-- Locks    the row of caps (a claim under way for the project is waited for), then the project's leases
create function fleet._set_cap(p_project uuid, p_max_running integer, p_max_vram_mib bigint)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now record;
begin
  if num_nonnulls(p_max_running, p_max_vram_mib) = 0 then
    delete from fleet.caps as c where c.project_id = p_project;
    return;
  end if;
  update fleet.caps as c
     set max_running = p_max_running, max_vram_mib = p_max_vram_mib
   where c.project_id = p_project;
  if found then
    return;
  end if;
  insert into fleet.caps (project_id, max_running, max_vram_mib) values (p_project, p_max_running, p_max_vram_mib);
  -- Every lease counts from now on. This waits for settles under way; only then is it known what is left to count, and
  -- what was returned to a cap of former times means nothing any more.
  with counted as (
    update fleet.leases as l set capped = true where l.project_id = p_project
    returning cardinality(l.devices) * l.vram_mib::bigint as vram_mib
  )
  select count(*) as running, coalesce(sum(c.vram_mib), 0) as vram_mib into v_now from counted as c;
  delete from fleet.cap_returns as r where r.project_id = p_project;
  update fleet.caps as c set running = v_now.running, vram_mib = v_now.vram_mib where c.project_id = p_project;
end
$$;

-- _repool: the needs of a project get shapes that name these pools; what is queued follows.
create function fleet._repool(p_project uuid, p_pools text[])
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform 1 from fleet.needs as n where n.project_id = p_project order by n.need_id for no key update;
  insert into fleet.shapes (gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, labels, kind, pools)
  select distinct s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels, s.kind, p_pools
    from fleet.needs as n
    join fleet.shapes as s on s.shape_id in (n.shape_id, n.declared_shape_id)
   where n.project_id = p_project
      on conflict do nothing;
  -- Two needs that differed by nothing but old pools cannot be: the pools were the project's then too.
  update fleet.needs as n
     set shape_id = w.shape_id, declared_shape_id = d.shape_id
    from fleet.shapes as ws, fleet.shapes as w, fleet.shapes as ds, fleet.shapes as d
   where n.project_id = p_project
     and ws.shape_id = n.shape_id
     and (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels, w.kind)
       = (ws.gpus, ws.vram_mib, ws.cpu_milli, ws.ram_mib, ws.disk_mib, ws.device, ws.labels, ws.kind)
     and w.pools is not distinct from p_pools
     and ds.shape_id = n.declared_shape_id
     and (d.gpus, d.vram_mib, d.cpu_milli, d.ram_mib, d.disk_mib, d.device, d.labels, d.kind)
       = (ds.gpus, ds.vram_mib, ds.cpu_milli, ds.ram_mib, ds.disk_mib, ds.device, ds.labels, ds.kind)
     and d.pools is not distinct from p_pools;
  perform fleet._reshape(array(select n.need_id from fleet.needs as n where n.project_id = p_project));
end
$$;

-- _reshape: the lanes of these needs (whose rows the caller has locked) follow their shapes: a whole backlog by one update.
--
-- Locks    lanes, ascending
create function fleet._reshape(p_needs bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform 1 from fleet.lanes as l where l.need_id = any(p_needs) order by l.lane_id for no key update;
  update fleet.lanes as l
     set shape_id = n.shape_id
    from fleet.needs as n
   where l.need_id = any(p_needs) and n.need_id = l.need_id and l.shape_id <> n.shape_id;
end
$$;
