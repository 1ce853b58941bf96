-- amend_v1: change a job that has not started: its class, what it needs, when it may start, what it waits for.
--
-- Caller   fleet_api; call wake_v1 after
-- p_fields {priority, need: {...}, run_at, after}: a need's fields go over what it needs now; run_at null is now; after may
--          only be [], which lets go of what it still waits for
-- Returns  {job_id, state}
-- Locks    as submit_v1 where a lane is new; the row of jobs; its rows of waiting and ready; then lanes as _enqueue
-- Errors   JQ002 bad_request, JQ005 not_found, JQ006 conflict: it runs or has ended, reads what it is to wait for no more, or
--          more memory is booked for such jobs than it is to have
--
-- It keeps its age. A claim may be taking it: then the delete waits, finds nothing, and the change is refused.
create function fleet.amend_v1(p_project uuid, p_job uuid, p_fields jsonb, p_key uuid default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_job    fleet.jobs;
  v_wait   fleet.waiting;
  v_item   fleet.submission;
  v_lane   bigint;
  v_was    bigint;
  v_bad    text;
  v_needed uuid;
  v_booked record;
begin
  perform fleet._durably();
  select k.name into v_bad from jsonb_object_keys(p_fields) as k (name)
   where k.name not in ('priority', 'need', 'run_at', 'after') limit 1;
  if found then
    raise exception using errcode = 'JQ002', column = v_bad, message = format('%s of a job cannot be changed', v_bad),
      hint = 'Use priority, need, run_at or after; for anything else cancel it and submit it anew.';
  end if;
  if p_fields -> 'after' <> '[]' then
    raise exception using errcode = 'JQ002', column = 'after', message = 'nothing can be added to what a job waits for',
      hint = 'Send [] to let go of it all.';
  end if;
  select j.* into v_job from fleet.jobs as j where j.job_id = p_job and j.project_id = p_project;
  if not found then
    raise exception using errcode = 'JQ005', message = format('there is no job %s in this project', p_job),
      hint = 'List jobs to find its id.';
  end if;

  v_item.kind := v_job.kind;
  v_item.params := v_job.params;
  v_item.priority := coalesce((p_fields ->> 'priority')::fleet.priority, v_job.priority);
  v_item.start_by := v_job.start_by;
  v_item.run_at := case when p_fields ? 'run_at' then (p_fields ->> 'run_at')::timestamptz else v_job.run_at end;
  -- What its owner did not state stays unstated, so that learning may go on with it: of a job with GPUs their memory, else
  -- the host's. What was stated for the one says nothing of the other.
  select jsonb_build_object('gpus', s.gpus, 'cpu_milli', s.cpu_milli, 'disk_mib', s.disk_mib, 'device', s.device, 'labels', s.labels)
         || case when s.gpus > 0 or n.stated then jsonb_build_object('ram_mib', s.ram_mib) else '{}' end
         || case when n.stated and s.gpus > 0 and c.need ->> 'gpus' is distinct from '0'
                 then jsonb_build_object('vram_mib', s.vram_mib) else '{}' end
         || c.need
    into v_item.need
    from fleet.lanes as l
    join fleet.needs as n on n.need_id = l.need_id
    join fleet.shapes as s on s.shape_id = n.declared_shape_id
   cross join lateral (select coalesce(nullif(p_fields -> 'need', 'null'), '{}') as need) as c
   where l.lane_id = v_job.lane_id;
  perform fleet._check_submissions(array[v_item]);
  perform fleet._check_ceiling(p_key, array[v_item]);
  -- The lane comes first, since its need is locked before jobs are.
  if p_fields ? 'need' then
    v_lane := (fleet._lanes_for(p_project, array[v_item]))[1];
    select s.gpus > 0 as on_gpu, case when s.gpus > 0 then s.vram_mib else s.ram_mib end as mib, n.raised_until as until
      into v_booked
      from fleet.lanes as l
      join fleet.shapes as s on s.shape_id = l.shape_id
      join fleet.needs as n on n.need_id = l.need_id
     where l.lane_id = v_lane;
    v_bad := case when v_booked.on_gpu then 'vram_mib' else 'ram_mib' end;
    if v_booked.mib > (p_fields -> 'need' ->> v_bad)::integer then
      raise exception using errcode = 'JQ006', column = 'need.' || v_bad,
        message = format('%s MiB are booked for such a job%s, since attempts with less ran out of memory', v_booked.mib,
                         ' until ' || v_booked.until),
        hint = 'Wait, or submit a job that needs less: another model or size.';
    end if;
  else
    v_lane := fleet._sister_lane(v_job.lane_id, v_item.priority);
  end if;

  v_was := v_job.lane_id;
  select j.* into v_job from fleet.jobs as j where j.job_id = p_job for no key update;
  if v_job.lane_id <> v_was then
    raise exception using errcode = 'JQ006', message = format('job %s is being changed by somebody else', p_job),
      hint = 'Look at it, and try again.';
  end if;
  select w.* into v_wait from fleet.waiting as w where w.job_id = p_job for no key update;
  if v_wait.job_id is null then
    delete from fleet.ready as r where (r.lane_id, r.order_key, r.job_id) = (v_job.lane_id, v_job.order_key, p_job);
    if not found then
      raise exception using errcode = 'JQ006', message = format('job %s is %s', p_job, fleet.state_of(p_job)),
        hint = 'Only a job that has not started can be changed.';
    end if;
  end if;
  update fleet.jobs as j
     set priority = v_item.priority, lane_id = v_lane,
         run_at = case when p_fields ? 'run_at' then (p_fields ->> 'run_at')::timestamptz else j.run_at end
   where j.job_id = p_job;
  if v_wait.job_id is not null then
    if p_fields ? 'after' then
      select d.after_job_id into v_needed
        from fleet.dependencies as d
       where d.job_id = p_job and not d.satisfied and d.after_job_id = any(fleet._read_from(v_job.inputs))
       limit 1;
      if found then
        raise exception using errcode = 'JQ006', column = 'after',
          message = format('job %s reads an output of job %s, which has not succeeded', p_job, v_needed),
          hint = 'Wait for that job, or cancel this one and submit it without that input.';
      end if;
      delete from fleet.dependencies as d where d.job_id = p_job and not d.satisfied;
      v_wait.waits_for := 0;
    end if;
    if p_fields ? 'run_at' then
      v_wait.run_at := coalesce((p_fields ->> 'run_at')::timestamptz, '-infinity');
    end if;
    update fleet.waiting as w set waits_for = v_wait.waits_for, run_at = v_wait.run_at where w.job_id = p_job;
  elsif (p_fields ->> 'run_at')::timestamptz > fleet.now() then
    insert into fleet.waiting (job_id, waits_for, run_at) values (p_job, 0, (p_fields ->> 'run_at')::timestamptz)
    returning * into v_wait;
  end if;
  if v_wait.job_id is null or (v_wait.waits_for = 0 and v_wait.run_at <= fleet.now()) then
    perform fleet._enqueue(array[p_job]);
  end if;
  insert into fleet.job_events (job_id, project_id, at, event, detail)
  values (p_job, p_project, fleet.now(), 'amended', p_fields);
  return jsonb_build_object('job_id', p_job, 'state', fleet.state_of(p_job));
exception when invalid_text_representation or invalid_datetime_format or datetime_field_overflow then
  raise exception using errcode = 'JQ002', message = sqlerrm, column = 'fields',
    hint = 'A class is low, normal, high or urgent; a time is ISO 8601 with its zone.';
end
$$;

-- _read_from: the jobs whose outputs are inputs.
create function fleet._read_from(p_inputs jsonb)
  returns uuid[]
  language sql
  immutable
  return array(select (i.input ->> 'job')::uuid from jsonb_each(p_inputs) as i (name, input) where i.input ? 'job');

-- _sister_lane: the lane of the same need in another class; made when it is new, paused as its class and kind are.
--
-- Locks    when it is made: the project row, SHARE, then the need, SHARE, as _lanes_for
create function fleet._sister_lane(p_lane bigint, p_priority fleet.priority)
  returns bigint
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lane bigint;
begin
  for v_try in 1..2 loop
    select s.lane_id into v_lane
      from fleet.lanes as l
      join fleet.lanes as s on s.project_id = l.project_id and s.need_id = l.need_id and s.priority = p_priority
     where l.lane_id = p_lane;
    if found then
      return v_lane;
    end if;
    perform 1 from fleet.lanes as l join fleet.projects as p on p.project_id = l.project_id where l.lane_id = p_lane for share of p;
    perform 1 from fleet.lanes as l join fleet.needs as n on n.need_id = l.need_id where l.lane_id = p_lane for share of n;
    insert into fleet.lanes (project_id, priority, need_id, shape_id, paused)
    select l.project_id, p_priority, n.need_id, n.shape_id, fleet._born_paused(p, p_priority, n.kind)
      from fleet.lanes as l
      join fleet.needs as n on n.need_id = l.need_id
      join fleet.projects as p on p.project_id = l.project_id
     where l.lane_id = p_lane
        on conflict do nothing;
  end loop;
  raise exception 'a lane just made is not there';
end
$$;

-- _born_paused: whether a new lane is paused: its class is, or its kind in this class.
create function fleet._born_paused(p_project fleet.projects, p_priority fleet.priority, p_kind text)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select p_priority = any(p_project.paused)
         or exists (select from fleet.paused_kinds as k
                     where (k.project_id, k.kind, k.priority) = (p_project.project_id, p_kind, p_priority))
$$;
