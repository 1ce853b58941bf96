-- _submit_plain: add jobs that say a kind and params and no more, and whose lanes are there: what most submissions are.
--
-- Returns  the answer, as submit_v1 gives it; null, with nothing done, when a job says more, cannot be, or is the first of
--          its lane: then the long way knows what to do or to say
-- Locks    the lanes, KEY SHARE, before the insert, as _enqueue
--
-- The long way takes twenty statements, and looks at each job in each of them; a few do here. A lane that is there has seen
-- its kind, model and size pass every check; what is left to check is that params is an object.
create function fleet._submit_plain(p_project uuid, p_jobs jsonb, p_key uuid, p_trace text, p_now timestamptz)
  returns json
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_order  bigint := (extract(epoch from p_now) * 1000000)::bigint;
  v_left   bigint := jsonb_array_length(p_jobs);
  v_ids    uuid[];
  v_sort   record;
  v_lane   record;
  v_open   boolean := true;
  v_answer json;
  l_kind   text[] := '{}';      -- of each lane, what its jobs have in common
  l_model  text[] := '{}';
  l_size   text[] := '{}';
  l_lane   bigint[] := '{}';
  l_limit  integer[] := '{}';
  l_tries  integer[] := '{}';
  l_held   text[] := '{}';
begin
  if v_left = 1 then
    return fleet._submit_one(p_project, p_jobs -> 0, p_key, p_trace, p_now);
  end if;
  for v_sort in
    select k.kind, coalesce(e.item -> 'params' ->> k.model_param, '') as model_key,
           fleet._size_of(k, e.item -> 'params') as size_key, count(*) as jobs
      from jsonb_array_elements(p_jobs) as e (item)
      join fleet.kinds as k on k.kind = e.item ->> 'kind'
     where jsonb_typeof(e.item) = 'object'
       and e.item - '{kind,params}'::text[] = '{}'
       and jsonb_typeof(e.item -> 'params') = 'object'
     group by 1, 2, 3
  loop
    select l.* into v_lane from fleet._plain_lane(p_project, v_sort.kind, v_sort.model_key, v_sort.size_key, p_key, v_order) as l;
    if v_lane.lane_id is null then
      return null;
    end if;
    v_left := v_left - v_sort.jobs;
    v_open := v_open and v_lane.open;
    l_kind := l_kind || v_sort.kind;
    l_model := l_model || v_sort.model_key;
    l_size := l_size || v_sort.size_key;
    l_lane := l_lane || v_lane.lane_id;
    l_limit := l_limit || v_lane.timeout_s;
    l_tries := l_tries || v_lane.retries;
    l_held := l_held || v_lane.held;
  end loop;
  if v_left > 0 then
    return null;
  end if;

  v_ids := array(select fleet.new_ids(jsonb_array_length(p_jobs)));
  with item as materialized (
    select e.place, v_ids[e.place] as job_id, l.lane_id, l.kind, l.model_key, e.item -> 'params' as params, l.timeout_s, l.retries,
           l.held
      from jsonb_array_elements(p_jobs) with ordinality as e (item, place)
      join fleet.kinds as k on k.kind = e.item ->> 'kind'
      join unnest(l_kind, l_model, l_size, l_lane, l_limit, l_tries, l_held)
           as l (kind, model_key, size_key, lane_id, timeout_s, retries, held)
        on l.kind = k.kind
       and l.model_key = coalesce(e.item -> 'params' ->> k.model_param, '')
       and l.size_key = fleet._size_of(k, e.item -> 'params')
  ),
  job as (
    insert into fleet.jobs (job_id, project_id, kind, priority, lane_id, order_key, model_key, params, timeout_s, retries, key_id,
                            trace, created_at)
    select i.job_id, p_project, i.kind, 'normal', i.lane_id, v_order + i.place, i.model_key, i.params, i.timeout_s, i.retries,
           p_key, p_trace, p_now
      from item as i
     order by i.place
  ),
  stands as (
    insert into fleet.ready (lane_id, order_key, job_id, model_key)
    select i.lane_id, v_order + i.place, i.job_id, i.model_key from item as i where v_open order by i.place
  )
  select json_agg(json_build_object('job_id', i.job_id, 'ref', null, 'created', true, 'state', 'ready', 'held', i.held)
                  order by i.place)
    into v_answer
    from item as i;
  if not v_open then
    perform fleet._enqueue(v_ids);
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
  v_kind   fleet.kinds;
  v_model  text;
  v_lane   record;
begin
  if p_job - '{kind,params}'::text[] <> '{}' or jsonb_typeof(v_params) is distinct from 'object' then
    return null;
  end if;
  select k.* into v_kind from fleet.kinds as k where k.kind = p_job ->> 'kind';
  v_model := coalesce(v_params ->> v_kind.model_param, '');
  select l.* into v_lane
    from fleet._plain_lane(p_project, v_kind.kind, v_model, fleet._size_of(v_kind, v_params), p_key, v_order) as l;
  if v_lane.lane_id is null then
    return null;
  end if;

  v_id := fleet.new_id();
  insert into fleet.jobs (job_id, project_id, kind, priority, lane_id, order_key, model_key, params, timeout_s, retries, key_id,
                          trace, created_at)
  values (v_id, p_project, v_kind.kind, 'normal', v_lane.lane_id, v_order, v_model, v_params, v_kind.timeout_s, v_kind.retries,
          p_key, p_trace, p_now);
  if v_lane.open then
    insert into fleet.ready (lane_id, order_key, job_id, model_key) values (v_lane.lane_id, v_order, v_id, v_model);
  else
    perform fleet._enqueue(array[v_id]);
  end if;
  return json_build_array(json_build_object('job_id', v_id, 'ref', null, 'created', true, 'state', 'ready', 'held', v_lane.held));
end
$$;

-- _plain_lane: the lane, locked, of jobs that say a kind and params and no more; all null when there is none yet, or the key
-- may not submit to it. open: a job may be put in as it is.
create function fleet._plain_lane(p_project uuid, p_kind text, p_model_key text, p_size_key text, p_key uuid, p_order bigint,
                                  out lane_id bigint, out open boolean, out timeout_s integer, out retries integer, out held text)
  returns record
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  select l.lane_id, l.active and l.head_key <= p_order, k.timeout_s, k.retries, fleet._held(t.halted, k.quarantined, l.paused)
    into lane_id, open, timeout_s, retries, held
    from fleet.kinds as k
    join fleet.projects as p on p.project_id = p_project
    join fleet.needs as n
      on (n.project_id, n.kind, n.model_key, n.size_key) = (p_project, k.kind, p_model_key, p_size_key)
     and not n.stated
    join fleet.shapes as s
      on s.shape_id = n.declared_shape_id
     and (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels)
       = (k.gpus, case when k.gpus = 0 then 0 else k.vram_mib end, k.cpu_milli, k.ram_mib, k.disk_mib, k.device, '{}')
     and s.pools is not distinct from p.trusted_pools
    join fleet.lanes as l on (l.project_id, l.priority, l.need_id) = (p_project, 'normal', n.need_id)
    join fleet.settings as t on t.one
   where k.kind = p_kind
     and (p_key is null or (select a.ceiling from fleet.api_keys as a where a.key_id = p_key) >= 'normal')
     for key share of l;
end
$$;

-- _size_of: the size key of a job with these params and the kind's own number of devices.
create function fleet._size_of(p_kind fleet.kinds, p_params jsonb)
  returns text
  language sql
  immutable
  return case when (p_kind).size_params = '{}' then ''
              else fleet._size_key((p_kind).size_params, p_params, (p_kind).gpus, (p_kind).gpus) end;
