-- cancel_v1: end jobs wherever they are.
--
-- Caller   fleet_api
-- Returns  [{job_id, outcome: cancelled | cancelling | already_ended, state}] in the order of p_jobs
-- Locks    rows of jobs, ascending; then waiting, ready, leases of these; then dependents as _resolve
-- Errors   JQ005 not_found: none is cancelled then
--
-- A claim may hold the ready row: the delete waits for its commit, finds nothing, and the lease is there to see.
create function fleet.cancel_v1(p_project uuid, p_jobs uuid[])
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now     timestamptz := fleet.now();
  v_missing uuid;
  v_done    uuid[];
  v_running uuid[];
  v_channel text;
begin
  perform fleet._durably();
  perform 1 from fleet.jobs as j where j.job_id = any(p_jobs) and j.project_id = p_project order by j.job_id
     for no key update;
  select i.job_id
    into v_missing
    from unnest(p_jobs) as i (job_id)
   where not exists (select from fleet.jobs as j where j.job_id = i.job_id and j.project_id = p_project)
   limit 1;
  if found then
    raise exception using errcode = 'JQ005', message = format('there is no job %s in this project', v_missing),
      hint = 'List jobs to find its id.';
  end if;

  with waited as (
    delete from fleet.waiting as w where w.job_id = any(p_jobs) returning w.job_id
  ),
  stood as (
    delete from fleet.ready as r
     using fleet.jobs as j
     where j.job_id = any(p_jobs)
       and (r.lane_id, r.order_key, r.job_id) = (j.lane_id, j.order_key, j.job_id)
    returning r.job_id
  )
  select array_agg(g.job_id) into v_done from (select job_id from waited union all select job_id from stood) as g;
  update fleet.jobs as j
     set outcome = 'cancelled', cause = 'cancelled', ended_at = v_now
   where j.job_id = any(v_done);

  with told as (
    update fleet.leases as l
       set command = 'cancel'
     where l.job_id = any(p_jobs)
       and l.command is distinct from 'cancel'
    returning l.job_id, l.session_id
  )
  select array_agg(t.job_id) into v_running from told as t;
  for v_channel in select distinct 'fleet_' || replace(l.session_id::text, '-', '')
                     from fleet.leases as l where l.job_id = any(v_running)
  loop
    perform pg_notify(v_channel, 'cancel');
  end loop;

  insert into fleet.job_events (job_id, project_id, at, event)
  select j.job_id, j.project_id, v_now, case when j.job_id = any(v_done) then 'cancelled' else 'cancelling' end
    from fleet.jobs as j
   where j.job_id = any(v_done) or j.job_id = any(v_running);
  if v_done is not null then
    perform fleet._resolve(v_done);
    perform fleet._announce(v_done);
  end if;
  return (select coalesce(jsonb_agg(jsonb_build_object(
                   'job_id', i.job_id, 'state', fleet.state_of(i.job_id),
                   'outcome', case when i.job_id = any(v_done) then 'cancelled'
                                   when j.outcome is null then 'cancelling'
                                   else 'already_ended' end) order by i.place), '[]')
            from unnest(p_jobs) with ordinality as i (job_id, place)
            join fleet.jobs as j on j.job_id = i.job_id);
end
$$;
