-- _fail_dependents: jobs have ended without success; end all that wait for them, however far down the graph.
--
-- Locks    rows of the dependents in jobs, ascending
create function fleet._fail_dependents(p_ended uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now    timestamptz := fleet.now();
  v_down   uuid[];
  v_locked uuid[] := '{}';
  v_ended  uuid[];
begin
  -- Looked at again under the locks: a job may have been added below one of these while we waited for it.
  loop
    v_down := array(
      with recursive down (job_id) as (
        select d.job_id from fleet.dependencies as d where d.after_job_id = any(p_ended) and not d.satisfied
        union
        select d.job_id from down join fleet.dependencies as d on d.after_job_id = down.job_id and not d.satisfied
      )
      select down.job_id from down);
    exit when v_down <@ v_locked;
    perform 1 from fleet.jobs as j where j.job_id = any(v_down) order by j.job_id for no key update;
    v_locked := v_down;
  end loop;
  if cardinality(v_down) = 0 then
    return;
  end if;

  with gone as (
    delete from fleet.waiting as w where w.job_id = any(v_down) returning w.job_id
  ),
  why as (
    select distinct on (d.job_id) d.job_id, d.after_job_id
      from fleet.dependencies as d
     where d.job_id = any(v_down)
       and (d.after_job_id = any(p_ended) or d.after_job_id = any(v_down))
     order by d.job_id, d.after_job_id
  ),
  ended as (
    update fleet.jobs as j
       set outcome = 'failed', cause = 'dependency', ended_at = v_now,
           error = jsonb_build_object('message', format('job %s, which it waited for, did not succeed', why.after_job_id))
      from gone join why using (job_id)
     where j.job_id = gone.job_id
    returning j.job_id, j.project_id, j.error
  ),
  told as (
    insert into fleet.job_events (job_id, project_id, at, event, detail)
    select e.job_id, e.project_id, v_now, 'failed', jsonb_build_object('cause', 'dependency', 'message', e.error ->> 'message')
      from ended as e
  )
  select array_agg(e.job_id) into v_ended from ended as e;
  perform fleet._announce(v_ended);  -- not v_down: those that had ended before were announced then
end
$$;
