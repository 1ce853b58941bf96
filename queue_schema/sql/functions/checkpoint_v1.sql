-- checkpoint_v1: another attempt may go on from this (already stored) file.
--
-- Caller   fleet_agent
-- Locks    the lease row, KEY SHARE, so that no settle passes it; the checkpoint row
-- Errors   JQ001 lease_lost, JQ003 session_lost
create function fleet.checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint,
                                    p_step bigint)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now   timestamptz := fleet.now();
  v_lease fleet.leases;
begin
  perform fleet._session(p_session, p_secret);
  select l.*
    into v_lease
    from fleet.leases as l
   where l.job_id = p_job and l.token = p_token and l.session_id = p_session
     for key share;
  if not found then
    raise exception using errcode = 'JQ001', message = format('job %s: lease %s is not the current lease', p_job, p_token),
      hint = 'Another agent may own this job now; drop the result.';
  end if;
  insert into fleet.checkpoints (job_id, project_id, token, attempt, sha256, size, step, at)
  values (p_job, v_lease.project_id, p_token, v_lease.attempt, p_sha256, p_size, p_step, v_now)
      on conflict (job_id) do update
     set token = excluded.token, attempt = excluded.attempt, sha256 = excluded.sha256, size = excluded.size,
         step = excluded.step, at = excluded.at;
  insert into fleet.job_events (job_id, project_id, at, event, detail)
  values (p_job, v_lease.project_id, v_now, 'checkpoint', jsonb_build_object('attempt', v_lease.attempt, 'step', p_step));
  return 'null';
end
$$;
