-- _enqueue: put jobs (whose rows the caller has locked) into ready, from wherever they come.
--
-- Locks    lanes KEY SHARE, in order; then ready and waiting rows of these jobs
--
-- The lane is locked before the insert and `active` is read again after: retiring a lane takes FOR UPDATE and
-- looks again, so a lane that holds a job is never left idle.
create function fleet._enqueue(p_jobs uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lanes bigint[];
begin
  if p_jobs is null or cardinality(p_jobs) = 0 then
    return;
  end if;
  v_lanes := array(select distinct j.lane_id from fleet.jobs as j where j.job_id = any(p_jobs));
  perform 1 from fleet.lanes as l where l.lane_id = any(v_lanes) order by l.lane_id for key share;
  update fleet.lanes as l set active = true where l.lane_id = any(v_lanes) and not l.active;
  delete from fleet.waiting as w where w.job_id = any(p_jobs);
  insert into fleet.ready (lane_id, order_key, job_id, model_key)
  select j.lane_id, j.order_key, j.job_id, j.model_key
    from fleet.jobs as j
   where j.job_id = any(p_jobs);
end
$$;
