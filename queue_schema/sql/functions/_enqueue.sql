-- _enqueue: put jobs (whose rows the caller has locked) into ready, from wherever they come.
--
-- Locks    lanes KEY SHARE, in order; then ready and waiting rows of these jobs
--
-- The lane is locked before the insert and `active` is read again after: retiring a lane, and moving its head_key up,
-- take FOR UPDATE and look again, so a lane that holds a job is never left idle, nor its job behind the head.
-- A lane that wakes up ranks no lower than the floor: below it no claim looks until the next ranking.
create function fleet._enqueue(p_jobs uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_jobs   uuid[];
  v_lanes  bigint[];
  v_keys   bigint[];
  v_models text[];
begin
  if p_jobs is null or cardinality(p_jobs) = 0 then
    return;
  end if;
  select array_agg(j.job_id), array_agg(j.lane_id), array_agg(j.order_key), array_agg(j.model_key)
    into v_jobs, v_lanes, v_keys, v_models
    from fleet.jobs as j
   where j.job_id = any(p_jobs);
  perform 1 from fleet.lanes as l where l.lane_id = any(v_lanes) order by l.lane_id for key share;
  with head as (
    select k.lane_id, min(k.order_key) as order_key
      from unnest(v_lanes, v_keys) as k (lane_id, order_key)
     group by k.lane_id
  )
  update fleet.lanes as l
     set active = true,
         head_key = case when l.active then least(l.head_key, h.order_key) else h.order_key end,
         active_at = case when l.active then l.active_at else fleet.now() end,
         rank = case when l.active then l.rank else fleet._rank_of(l.project_id) end
    from head as h
   where l.lane_id = h.lane_id
     and (not l.active or l.head_key > h.order_key);
  delete from fleet.waiting as w where w.job_id = any(v_jobs);
  insert into fleet.ready (lane_id, order_key, job_id, model_key)
  select * from unnest(v_lanes, v_keys, v_jobs, v_models);
end
$$;
