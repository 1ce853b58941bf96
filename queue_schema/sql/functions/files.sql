-- A file is in the store only while it has a row here: it gets one before it is put there, and keeps it until it is removed.
-- So nothing is left behind by whoever dies in between, and nobody waits for the store in a transaction (I5).
--
-- reserve_blob_v1: a client is about to put a file into the store; put_blob_v1 follows.
--
-- Caller   fleet_api
-- Returns  false while that very file is being removed: ask again in a moment
create function fleet.reserve_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return to_jsonb(fleet._reserve(p_project, p_sha256, p_size, p_media_type, null));
end
$$;

-- _reserve: see to it that a file has a row, and stays; says whether it may be put into the store now.
create function fleet._reserve(p_project uuid, p_sha256 text, p_size bigint, p_media_type text, p_job uuid)
  returns boolean
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := fleet.now();
begin
  insert into fleet.blobs as b (project_id, sha256, size, media_type, visible, made_by, created_at)
  values (p_project, p_sha256, p_size, p_media_type, false, p_job, v_now)
      on conflict (project_id, sha256) do update
     set made_by = case when b.leaving_at is null then b.made_by else excluded.made_by end,
         leaving_at = null, removing_until = null, created_at = v_now
   where (b.leaving_at is not null or p_job is null or b.created_at < v_now - interval '1 day')
     and (b.removing_until is null or b.removing_until < v_now);
  return not exists (select from fleet.blobs as b
                      where b.project_id = p_project and b.sha256 = p_sha256 and b.removing_until >= v_now);
end
$$;

-- put_blob_v1: a client stored a file.
--
-- Caller   fleet_api
-- Returns  false when the project could see it already
-- Errors   JQ006 conflict: it is being removed
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
      on conflict (project_id, sha256) do update set visible = true, made_by = null, leaving_at = null
   where not b.visible and b.removing_until is null;
  if found then
    return 'true';
  end if;
  if exists (select from fleet.blobs as b where b.project_id = p_project and b.sha256 = p_sha256 and b.removing_until is not null) then
    raise exception using errcode = 'JQ006', message = format('file %s is being erased', p_sha256), column = 'sha256',
      hint = 'Send it again in a moment.';
  end if;
  return 'false';
end
$$;

-- grant_v1: may this lease read this file, or write one? (I15)
--
-- Caller   fleet_api, for an agent that shows its session, secret and lease
-- Returns  {project_id, ready}: not ready while that very file is being removed; ask again in a moment
-- Errors   JQ001 lease_lost, JQ003 session_lost, JQ007 not_allowed
--
-- A file that is about to be written is recorded, but visible to nobody: `complete` and `checkpoint` name it later (I7).
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
    return jsonb_build_object('project_id', v_lease.project_id, 'ready',
                              fleet._reserve(v_lease.project_id, p_sha256, p_size, p_media_type, p_job));
  end if;

  select j.* into strict v_job from fleet.jobs as j where j.job_id = p_job;
  if not exists (select from jsonb_to_recordset(fleet._resolved_inputs(v_job.project_id, coalesce(v_job.inputs, '{}')))
                          as i (sha256 text)
                  where i.sha256 = p_sha256)
     and not exists (select from fleet.checkpoints as c where c.job_id = p_job and c.sha256 = p_sha256) then
    raise exception using errcode = 'JQ007', message = format('file %s is no input of job %s', p_sha256, p_job),
      hint = 'A lease opens the files of its own job only.';
  end if;
  return jsonb_build_object('project_id', v_lease.project_id, 'ready', true);
end
$$;
