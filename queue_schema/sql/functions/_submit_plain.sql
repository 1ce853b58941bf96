-- _submit_plain: add jobs that say a kind and params and no more, and whose lanes are there: what most submissions are.
--
-- p_ids    one for each job; the long way uses them when this one does not
-- Returns  the answer, as submit_v1 gives it; null, with nothing done, when a job says more, cannot be, or is the first of
--          its lane: then the long way knows what to do or to say
-- Locks    the lanes, KEY SHARE, before the insert, as _enqueue
--
-- The long way takes twenty statements, and looks at each job in each of them; one does here. A lane that is there has seen
-- its kind, model and size pass every check; what is left to check is that params is an object.
create function fleet._submit_plain(p_project uuid, p_ids uuid[], p_jobs jsonb, p_key uuid, p_trace text, p_now timestamptz)
  returns json
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_order  bigint := (extract(epoch from p_now) * 1000000)::bigint;
  v_closed uuid[];
  v_lanes  bigint[];
  v_answer json;
begin
  with item as materialized (
    select e.place, k.kind, k.timeout_s, k.retries, p.params, coalesce(p.params ->> k.model_param, '') as model_key,
           fleet._size_of(k, p.params) as size_key
      from jsonb_array_elements(p_jobs) with ordinality as e (item, place)
     cross join lateral (select e.item -> 'params' as params) as p
      join fleet.kinds as k on k.kind = e.item ->> 'kind'
     where jsonb_typeof(e.item) = 'object'
       and e.item - '{kind,params}'::text[] = '{}'
       and jsonb_typeof(p.params) = 'object'
  ),
  sort as materialized (
    select s.*, l.lane_id, l.open, l.idle, coalesce(to_json(l.held)::text, 'null') as held,
           sum(s.jobs) filter (where l.lane_id is not null) over () as plain
      from (select i.kind, i.model_key, i.size_key, count(*) as jobs, min(i.place) as place
              from item as i
             group by i.kind, i.model_key, i.size_key) as s
      join fleet.kinds as k on k.kind = s.kind
     cross join lateral fleet._plain_lane(p_project, k, s.model_key, s.size_key, p_key, v_order + s.place) as l
  ),
  job as materialized (
    select p_ids[i.place] as job_id, v_order + i.place as order_key, i.params, i.timeout_s, i.retries, s.*
      from item as i
      join sort as s on (s.kind, s.model_key, s.size_key) = (i.kind, i.model_key, i.size_key)
     where s.plain = cardinality(p_ids)
  ),
  told as (
    insert into fleet.jobs (job_id, project_id, kind, priority, lane_id, order_key, model_key, params, timeout_s, retries, key_id,
                            trace, created_at)
    select j.job_id, p_project, j.kind, 'normal', j.lane_id, j.order_key, j.model_key, j.params, j.timeout_s, j.retries, p_key,
           p_trace, p_now
      from job as j
  ),
  stands as (
    insert into fleet.ready (lane_id, order_key, job_id, model_key)
    select j.lane_id, j.order_key, j.job_id, j.model_key from job as j where j.open
  )
  -- As text, read as JSON once: an object built for each job was a tenth of it all.
  select ('[' || string_agg('{"job_id": "' || j.job_id || '", "ref": null, "created": true, "state": "ready", "held": ' || j.held
                            || '}', ', ' order by j.order_key) || ']')::json,
         array_agg(j.job_id) filter (where not j.open), array_agg(j.lane_id) filter (where j.idle)
    into v_answer, v_closed, v_lanes
    from job as j;
  if v_closed is not null then
    perform fleet._enqueue(v_closed);
  end if;
  if v_lanes is not null then
    perform fleet._rouse_for(v_lanes);
  end if;
  return v_answer;
end
$$;

-- _submit_one: the same for one job.
create function fleet._submit_one(p_project uuid, p_job jsonb, p_key uuid, p_trace text, p_now timestamptz)
  returns json
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_params jsonb := p_job -> 'params';
  v_order  bigint := (extract(epoch from p_now) * 1000000)::bigint + 1;
  v_id     uuid;
  v_lane   record;
begin
  if jsonb_typeof(v_params) is distinct from 'object' or p_job - '{kind,params}'::text[] <> '{}' then
    return null;
  end if;
  if p_key is not null then  -- within the look at the lane it would be made ready for those without a key, too
    if (select a.ceiling from fleet.api_keys as a where a.key_id = p_key) >= 'normal' is not true then
      return null;
    end if;
  end if;
  for v_try in 1..2 loop
    select l.lane_id, l.active and l.head_key <= v_order as open, k.kind, n.model_key, k.timeout_s, k.retries,
           fleet._held(t.halted, k.quarantined, l.paused) as held, t.durable,
           exists (select from fleet.idle_sessions as d where d.told_at is null) as idle
      into v_lane
      from fleet.kinds as k
      join fleet.needs as n
        on (n.project_id, n.kind, n.model_key, n.size_key)
         = (p_project, k.kind, coalesce(v_params ->> k.model_param, ''), fleet._size_of(k, v_params))
       and n.plain
      join fleet.lanes as l on (l.project_id, l.priority, l.need_id) = (p_project, 'normal', n.need_id)
      join fleet.settings as t on t.one
     where k.kind = p_job ->> 'kind'
       for key share of l;
    exit when found;
    if v_try = 2 or not exists (select from fleet.kinds as k
                                 where k.kind = p_job ->> 'kind'
                                   and fleet._note_plain(p_project, k, coalesce(v_params ->> k.model_param, ''),
                                                         fleet._size_of(k, v_params))) then
      return null;
    end if;
  end loop;

  if v_lane.durable and current_setting('synchronous_commit') = 'off' then
    perform fleet._durably();
  end if;
  v_id := fleet._id_of(v_order);
  insert into fleet.jobs (job_id, project_id, kind, priority, lane_id, order_key, model_key, params, timeout_s, retries, key_id,
                          trace, created_at)
  values (v_id, p_project, v_lane.kind, 'normal', v_lane.lane_id, v_order, v_lane.model_key, v_params, v_lane.timeout_s,
          v_lane.retries, p_key, p_trace, p_now);
  if v_lane.open then
    insert into fleet.ready (lane_id, order_key, job_id, model_key) values (v_lane.lane_id, v_order, v_id, v_lane.model_key);
  else
    perform fleet._enqueue(array[v_id]);
  end if;
  if v_lane.idle then
    perform fleet._rouse_for(array[v_lane.lane_id]);
  end if;
  return ('[{"job_id": "' || v_id || '", "ref": null, "created": true, "state": "ready", "held": '
          || coalesce(to_json(v_lane.held)::text, 'null') || '}]')::json;
end
$$;

-- _plain_lane: the lane, locked, of jobs that say a kind and params and no more; all null when there is none yet, or the key
-- may not submit to it. open: a job may be put in as it is; idle: somebody sleeps.
create function fleet._plain_lane(p_project uuid, p_kind fleet.kinds, p_model_key text, p_size_key text, p_key uuid, p_order bigint,
                                  out lane_id bigint, out open boolean, out idle boolean, out held text)
  returns record
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform fleet._note_plain(p_project, p_kind, p_model_key, p_size_key);
  select l.lane_id, l.active and l.head_key <= p_order, exists (select from fleet.idle_sessions as d where d.told_at is null),
         fleet._held(t.halted, (p_kind).quarantined, l.paused)
    into lane_id, open, idle, held
    from fleet.needs as n
    join fleet.lanes as l on (l.project_id, l.priority, l.need_id) = (p_project, 'normal', n.need_id)
    join fleet.settings as t on t.one
   where (n.project_id, n.kind, n.model_key, n.size_key) = (p_project, (p_kind).kind, p_model_key, p_size_key)
     and n.plain
     and (p_key is null or (select a.ceiling from fleet.api_keys as a where a.key_id = p_key) >= 'normal')
     for key share of l;
end
$$;

-- _note_plain: make sure that the need of jobs which say nothing of their needs is known as that, if there is one.
--
-- Returns  whether there is
--
-- Whether it is takes a comparison with the kind and the pools of the project; it stays so while the kind does (_repool moves
-- needs to new pools, and learning changes what is booked, not what was asked for).
create function fleet._note_plain(p_project uuid, p_kind fleet.kinds, p_model_key text, p_size_key text)
  returns boolean
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from fleet.needs as n
              where (n.project_id, n.kind, n.model_key, n.size_key) = (p_project, (p_kind).kind, p_model_key, p_size_key)
                and n.plain) then
    return true;
  end if;
  update fleet.needs as n
     set plain = true
    from fleet.shapes as s, fleet.projects as p
   where (n.project_id, n.kind, n.model_key, n.size_key) = (p_project, (p_kind).kind, p_model_key, p_size_key)
     and not n.stated
     and p.project_id = p_project
     and s.shape_id = n.declared_shape_id
     and (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels)
       = ((p_kind).gpus, case when (p_kind).gpus = 0 then 0 else (p_kind).vram_mib end, (p_kind).cpu_milli, (p_kind).ram_mib,
          (p_kind).disk_mib, (p_kind).device, '{}')
     and s.pools is not distinct from p.trusted_pools;
  return found;
end
$$;

-- _forget_plain: a kind needs something else from now on.
create function fleet._forget_plain()
  returns trigger
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  update fleet.needs as n set plain = false where n.kind = new.kind and n.plain;
  return null;
end
$$;
create trigger forget_plain after update of gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, model_param, size_params
  on fleet.kinds for each row execute function fleet._forget_plain();

-- _size_of: the size key of a job with these params and the kind's own number of devices.
create function fleet._size_of(p_kind fleet.kinds, p_params jsonb)
  returns text
  language sql
  immutable
  return case when (p_kind).size_params = '{}' then ''
              else fleet._size_key((p_kind).size_params, p_params, (p_kind).gpus, (p_kind).gpus) end;
