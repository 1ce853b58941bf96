-- _resolved_inputs: each input with the file behind it; sha256 is null when the job it comes from has no such output.
create function fleet._resolved_inputs(p_project uuid, p_inputs jsonb)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
           'name', n.name,
           'sha256', coalesce(a.sha256, b.sha256),
           'size', coalesce(a.size, b.size),
           'source', case when n.input ? 'job' then format('output %s of job %s', n.input ->> 'output', n.input ->> 'job')
                         else 'file ' || (n.input ->> 'sha256') end) order by n.name), '[]')
    from jsonb_each(p_inputs) as n (name, input)
    left join fleet.artifacts as a
      on a.job_id = (n.input ->> 'job')::uuid and a.name = n.input ->> 'output' and a.project_id = p_project
    left join fleet.blobs as b on b.project_id = p_project and b.sha256 = n.input ->> 'sha256'
$$;

-- _last_checkpoint: where another attempt of a job may go on, if anywhere.
create function fleet._last_checkpoint(p_job uuid)
  returns json
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('sha256', c.sha256, 'size', c.size, 'step', c.step) from fleet.checkpoints as c where c.job_id = p_job
$$;

-- _answer: one lease as a claim answers it; without what has the default of queue_schema.shapes.Claimed.
--
-- Text, which one cast of the whole makes JSON: an object built for each was a fifth of a large claim. A kind and a uuid need
-- no escape. Without a SET clause and a subquery, so that it is inlined: a claim of a hundred jobs must not call it a hundred
-- times.
create function fleet._answer(p_job uuid, p_token uuid, p_attempt integer, p_project uuid, p_kind text, p_params jsonb,
                              p_inputs jsonb, p_timeout_s integer, p_exclusive boolean, p_trace text, p_devices integer[],
                              p_vram_mib integer, p_ram_mib integer, p_cpu_milli integer, p_disk_mib integer,
                              p_model text, p_preemptible boolean)
  returns text
  language sql
  stable
  return concat(
           '{"job_id":"', p_job, '","token":"', p_token, '","attempt":', p_attempt, ',"project_id":"', p_project, '","kind":"', p_kind,
           '","params":', p_params, ',"timeout_s":', p_timeout_s, ',"exclusive":', case when p_exclusive then 'true' else 'false' end,
           case when p_model <> '' then concat(',"model":', to_json(p_model)) end,
           case when p_preemptible then ',"preemptible":true' end,
           case when p_trace is not null then concat(',"trace":', to_json(p_trace)) end,
           ',"grant":{"devices":[', array_to_string(p_devices, ','), '],"vram_mib":', p_vram_mib, ',"ram_mib":', p_ram_mib,
           ',"cpu_milli":', p_cpu_milli, ',"disk_mib":', p_disk_mib, '},"inputs":',
           case when p_inputs is null then '[]' else fleet._resolved_inputs(p_project, p_inputs)::text end,
           case when p_attempt > 1 then concat(',"checkpoint":', coalesce(fleet._last_checkpoint(p_job)::text, 'null')) end,
           '}');

-- _claimed: these leases as the claim that took them answered; for one who asks again.
create function fleet._claimed(p_jobs uuid[])
  returns json
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select ('[' || coalesce(string_agg(fleet._answer(l.job_id, l.token, l.attempt, l.project_id, j.kind, j.params, j.inputs, j.timeout_s,
                                                   j.exclusive, j.trace, l.devices, l.vram_mib, l.ram_mib, l.cpu_milli, l.disk_mib,
                                                   j.model_key, l.preemptible), ',' order by i.place), '') || ']')::json
    from unnest(p_jobs) with ordinality as i (job_id, place)
    join fleet.leases as l on l.job_id = i.job_id
    join fleet.jobs as j on j.job_id = l.job_id
$$;

-- _claimed_before: the jobs a claim was given, for one who asks again.
create function fleet._claimed_before(p_session uuid, p_request uuid)
  returns uuid[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array_agg(j.job_id order by j.priority desc, j.order_key)
    from fleet.leases as l
    join fleet.jobs as j on j.job_id = l.job_id
   where l.session_id = p_session
     and l.request_id = p_request
$$;
