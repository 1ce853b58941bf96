-- put_blob_v1: a client stored a file.
--
-- Caller   fleet_api
-- Returns  false when the project could see it already
create function fleet.put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('synchronous_commit', 'on', true);
  insert into fleet.blobs as b (project_id, sha256, size, media_type, visible)
  values (p_project, p_sha256, p_size, p_media_type, true)
      on conflict (project_id, sha256) do update set visible = true where not b.visible;
  return to_jsonb(found);
end
$$;

-- grant_v1: may this lease read this file, or write one? (I15)
--
-- Caller   fleet_api, for an agent that shows its session, secret and lease
-- Returns  {project_id}
-- Errors   JQ001 lease_lost, JQ003 session_lost, JQ007 not_allowed
--
-- A written file is recorded but visible to nobody: `complete` and `checkpoint` name it later (I7).
create function fleet.grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean,
                               p_size bigint default 0, p_media_type text default 'application/octet-stream')
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lease fleet.leases;
  v_job   fleet.jobs;
begin
  perform fleet._session(p_session, p_secret);
  select l.* into v_lease from fleet.leases as l where l.job_id = p_job and l.token = p_token and l.session_id = p_session;
  if not found then
    raise exception using errcode = 'JQ001', message = format('job %s: lease %s is not the current lease', p_job, p_token),
      hint = 'Another agent may own this job now; drop the result.';
  end if;
  if p_write then
    insert into fleet.blobs (project_id, sha256, size, media_type, visible)
    values (v_lease.project_id, p_sha256, p_size, p_media_type, false)
        on conflict do nothing;
    return jsonb_build_object('project_id', v_lease.project_id);
  end if;

  select j.* into strict v_job from fleet.jobs as j where j.job_id = p_job;
  if not exists (select from jsonb_to_recordset(fleet._resolved_inputs(v_job.project_id, coalesce(v_job.inputs, '{}')))
                          as i (sha256 text)
                  where i.sha256 = p_sha256)
     and not exists (select from fleet.checkpoints as c where c.job_id = p_job and c.sha256 = p_sha256) then
    raise exception using errcode = 'JQ007', message = format('file %s is no input of job %s', p_sha256, p_job),
      hint = 'A lease opens the files of its own job only.';
  end if;
  return jsonb_build_object('project_id', v_lease.project_id);
end
$$;
