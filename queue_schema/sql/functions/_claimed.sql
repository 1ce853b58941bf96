-- _claimed: these leases as a claim answers them. json, not jsonb: it is written once and read by nobody here.
create function fleet._claimed(p_jobs uuid[])
  returns json
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(json_agg(json_build_object(
           'job_id', l.job_id, 'token', l.token, 'attempt', l.attempt, 'project_id', l.project_id, 'kind', j.kind,
           'params', j.params, 'timeout_s', j.timeout_s, 'exclusive', j.exclusive, 'trace', j.trace,
           'grant', json_build_object('devices', l.devices, 'vram_mib', l.vram_mib, 'ram_mib', l.ram_mib,
                                      'cpu_milli', l.cpu_milli, 'disk_mib', l.disk_mib),
           'inputs', case when j.inputs is null then '[]' else fleet._resolved_inputs(j.project_id, j.inputs) end,
           'checkpoint', case when l.attempt > 1
                              then (select json_build_object('sha256', c.sha256, 'size', c.size, 'step', c.step)
                                      from fleet.checkpoints as c where c.job_id = l.job_id) end)
           order by i.place), '[]')
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
