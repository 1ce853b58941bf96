-- eta_v1: when will this job start and finish? From a forecast that is not older than a few seconds.
--
-- Caller   fleet_api
-- Returns  {job_id, state, made_at, basis, start: {p50, p90}, started_at, finish: {p50, p90}, ahead}; ahead counts the jobs
--          before it in its own lane. basis is simulated; extrapolated, for a job farther back in its lane than the plays
--          go: by the pace of those before it; or unknown: no play has it start within a week, `why` knows the reason
-- Errors   JQ005 not_found
create function fleet.eta_v1(p_project uuid, p_job uuid, p_max_age_s double precision default 10)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_job   fleet.jobs;
  v_state fleet.job_state;
  v_said  fleet.forecasts;
  v_ahead bigint;
  v_lease timestamptz;
  v_pace  record;
  v_stay  interval;
begin
  select j.* into v_job from fleet.jobs as j where j.job_id = p_job and (p_project is null or j.project_id = p_project);
  if not found then
    raise exception using errcode = 'JQ005', message = format('there is no job %s in this project', p_job),
      hint = 'List jobs to find its id.';
  end if;
  v_state := fleet.state_of(p_job);
  if v_job.outcome is not null then
    return jsonb_build_object('job_id', p_job, 'state', v_state, 'basis', 'ended', 'ended_at', v_job.ended_at);
  end if;
  if v_state = 'ready' then
    v_ahead := (select count(*)
                  from (select from fleet.ready as r
                         where r.lane_id = v_job.lane_id and r.order_key < v_job.order_key limit 1000000) as r);
  end if;
  perform fleet.forecast_v1(p_max_age_s, case when coalesce(v_ahead, 0) < 1000 then array[p_job] else '{}' end);
  select f.* into v_said from fleet.forecasts as f where f.job_id = p_job;
  if v_said.job_id is not null and v_said.made_at >= fleet.now() - make_interval(secs => p_max_age_s + 60) then
    select l.claimed_at into v_lease from fleet.leases as l where l.job_id = p_job;
    return jsonb_strip_nulls(jsonb_build_object(
      'job_id', p_job, 'state', v_state, 'made_at', v_said.made_at, 'basis', 'simulated', 'ahead', v_ahead,
      'started_at', v_lease,
      'start', case when v_lease is null then jsonb_build_object('p50', v_said.start_p50, 'p90', v_said.start_p90) end,
      'finish', jsonb_build_object('p50', v_said.finish_p50, 'p90', v_said.finish_p90)));
  end if;

  -- The pace of its lane: the last of it that the plays reached, and how many were before that one.
  select f.made_at, f.start_p50, f.start_p90, f.finish_p50 - f.start_p50 as stay_50, f.finish_p90 - f.start_p90 as stay_90,
         count(*) over () as reached
    into v_pace
    from fleet.forecasts as f
    join fleet.jobs as j on j.job_id = f.job_id and j.lane_id = v_job.lane_id
    join fleet.ready as r on (r.lane_id, r.order_key, r.job_id) = (j.lane_id, j.order_key, j.job_id)
   where f.start_p50 is not null and f.made_at = (select max(x.made_at) from fleet.forecasts as x)
   order by r.order_key desc
   limit 1;
  if v_pace.made_at is null or v_ahead is null or v_ahead < v_pace.reached then
    return jsonb_strip_nulls(jsonb_build_object('job_id', p_job, 'state', v_state, 'basis', 'unknown', 'ahead', v_ahead));
  end if;
  v_stay := (v_pace.start_p50 - v_pace.made_at) * ((v_ahead + 1.0) / v_pace.reached);
  return jsonb_build_object(
    'job_id', p_job, 'state', v_state, 'made_at', v_pace.made_at, 'basis', 'extrapolated', 'ahead', v_ahead,
    'start', jsonb_build_object('p50', v_pace.made_at + v_stay,
                                'p90', v_pace.made_at + (v_pace.start_p90 - v_pace.made_at) * ((v_ahead + 1.0) / v_pace.reached)),
    'finish', jsonb_build_object('p50', v_pace.made_at + v_stay + v_pace.stay_50,
                                 'p90', v_pace.made_at + (v_pace.start_p90 - v_pace.made_at) * ((v_ahead + 1.0) / v_pace.reached)
                                        + v_pace.stay_90));
end
$$;
