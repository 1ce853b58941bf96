-- retry_v1: run ended jobs again, with fresh retries.
--
-- Caller   fleet_api
-- Returns  [{job_id, outcome: retried | not_ended, state}] in the order of p_jobs
-- Locks    rows of jobs, ascending; then as _enqueue
-- Errors   JQ005 not_found, JQ006 conflict: it was erased, or a job it waits for has ended in another way and is not retried
--          with it
--
-- A job that failed goes on from its checkpoint; the outputs of one that succeeded stay until it succeeds again. An edge
-- that was satisfied stays so, unless both its ends are retried together.
create function fleet.retry_v1(p_project uuid, p_jobs uuid[])
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now     timestamptz := fleet.now();
  v_bad     record;
  v_again   uuid[];
  v_free    uuid[];
begin
  perform fleet._durably();
  -- These and what they wait for, which must not end unseen meanwhile, in one ascending pass.
  perform 1
    from fleet.jobs as j
   where j.project_id = p_project
     and (j.job_id = any(p_jobs)
          or j.job_id in (select d.after_job_id from fleet.dependencies as d where d.job_id = any(p_jobs)))
   order by j.job_id
     for no key update;
  select i.job_id
    into v_bad
    from unnest(p_jobs) as i (job_id)
   where not exists (select from fleet.jobs as j where j.job_id = i.job_id and j.project_id = p_project)
   limit 1;
  if found then
    raise exception using errcode = 'JQ005', message = format('there is no job %s in this project', v_bad.job_id),
      hint = 'List jobs to find its id.';
  end if;
  select j.job_id into v_bad from fleet.jobs as j where j.job_id = any(p_jobs) and j.erasure_id is not null limit 1;
  if found then
    raise exception using errcode = 'JQ006', message = format('job %s was erased', v_bad.job_id),
      hint = 'Submit it anew, with its files.';
  end if;
  v_again := array(select j.job_id from fleet.jobs as j where j.job_id = any(p_jobs) and j.outcome is not null);

  select d.job_id, d.after_job_id, d.wants, j.outcome
    into v_bad
    from fleet.dependencies as d
    left join fleet.jobs as j on j.job_id = d.after_job_id
   where d.job_id = any(v_again)
     and not d.satisfied
     and (j.job_id is null or (j.outcome is not null and fleet._broken(d.wants, j.outcome, j.cause) is not null))
     and not d.after_job_id = any(v_again)
   limit 1;
  if found then
    raise exception using errcode = 'JQ006',
      message = case when v_bad.outcome is null
                     then format('job %s waits for %s, which was pruned', v_bad.job_id, v_bad.after_job_id)
                     else format('job %s waits for %s to %s, which has ended as %s', v_bad.job_id, v_bad.after_job_id,
                                 case v_bad.wants when 'failed' then 'fail' else 'succeed' end, v_bad.outcome)
                end,
      hint = case when v_bad.outcome is null then 'Submit it anew.' else 'Retry both at once.' end;
  end if;

  -- A graph that is retried whole keeps its order, and a time to start by belongs to the first life.
  update fleet.dependencies as d
     set satisfied = false
   where d.job_id = any(v_again) and d.after_job_id = any(v_again) and d.satisfied;
  delete from fleet.start_by as x where x.job_id = any(v_again);

  update fleet.jobs as j
     set outcome = null, cause = null, error = null, result = null, ended_at = null, failed_at = null, retries_used = 0,
         infra_used = 0, releases = 0, rungs = 0, run_at = null, start_by = null
   where j.job_id = any(v_again);
  with open as (
    select i.job_id, count(d.job_id)::integer as n
      from unnest(v_again) as i (job_id)
      left join fleet.dependencies as d on d.job_id = i.job_id and not d.satisfied
     group by i.job_id
  )
  insert into fleet.waiting (job_id, waits_for, run_at)
  select o.job_id, o.n, '-infinity' from open as o where o.n > 0;
  v_free := array(select i.job_id from unnest(v_again) as i (job_id)
                   where not exists (select from fleet.waiting as w where w.job_id = i.job_id));
  perform fleet._enqueue(v_free);
  insert into fleet.job_events (job_id, project_id, at, event, detail)
  select i.job_id, p_project, v_now, 'submitted', '{"again": true}' from unnest(v_again) as i (job_id);

  return (select coalesce(jsonb_agg(jsonb_build_object(
                   'job_id', i.job_id, 'state', fleet.state_of(i.job_id),
                   'outcome', case when i.job_id = any(v_again) then 'retried' else 'not_ended' end) order by i.place), '[]')
            from unnest(p_jobs) with ordinality as i (job_id, place));
end
$$;
