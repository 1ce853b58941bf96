-- promote_v1: jobs whose time has come become ready; jobs not started in time end; lanes run dry become idle.
--
-- Caller   fleet_scheduler
-- Returns  {ready, expired}
-- Locks    rows of jobs, SKIP LOCKED; then lanes and waiting as _enqueue
create function fleet.promote_v1(p_limit integer)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now  timestamptz := fleet.now();
  v_late uuid[];
  v_gone uuid[];
  v_due  uuid[];
begin
  perform fleet._durably();
  v_late := array(select x.job_id from fleet.start_by as x where x.start_by <= v_now order by x.start_by limit p_limit);
  if cardinality(v_late) > 0 then
    v_late := array(select j.job_id from fleet.jobs as j where j.job_id = any(v_late) order by j.job_id
                       for no key update skip locked);
    -- One that has started once was in time, whatever became of that attempt; not one that was only handed back unstarted.
    delete from fleet.start_by as x
     using fleet.jobs as j
     where x.job_id = any(v_late) and j.job_id = x.job_id and j.attempts > j.releases;
    v_late := array(select x.job_id from fleet.start_by as x where x.job_id = any(v_late));
    with waited as (
      delete from fleet.waiting as w where w.job_id = any(v_late) returning w.job_id
    ),
    stood as (
      delete from fleet.ready as r
       using fleet.jobs as j
       where j.job_id = any(v_late)
         and (r.lane_id, r.order_key, r.job_id) = (j.lane_id, j.order_key, j.job_id)
      returning r.job_id
    ),
    ended as (
      update fleet.jobs as j
         set outcome = 'failed', cause = 'expired', ended_at = v_now, failed_at = v_now,
             error = jsonb_build_object('message', format('not started by %s', j.start_by))
       where j.job_id in (select job_id from waited union all select job_id from stood)
      returning j.job_id, j.project_id
    ),
    told as (
      insert into fleet.job_events (job_id, project_id, at, event, detail)
      select e.job_id, e.project_id, v_now, 'failed', '{"cause": "expired"}' from ended as e
    )
    select array_agg(e.job_id) into v_gone from ended as e;
    -- Of those that are leased, too: it comes back with one that is handed back unstarted (_settle).
    delete from fleet.start_by as x where x.job_id = any(v_late);
    if v_gone is not null then
      perform fleet._resolve(v_gone);
      perform fleet._announce(v_gone);
    end if;
  end if;

  v_due := array(select w.job_id from fleet.waiting as w where w.waits_for = 0 and w.run_at <= v_now
                  order by w.run_at limit p_limit);
  v_due := array(select j.job_id from fleet.jobs as j where j.job_id = any(v_due) order by j.job_id
                    for no key update skip locked);
  v_due := array(select w.job_id from fleet.waiting as w where w.job_id = any(v_due) and w.waits_for = 0
                    and w.run_at <= v_now);
  perform fleet._enqueue(v_due);
  insert into fleet.job_events (job_id, project_id, at, event)
  select j.job_id, j.project_id, v_now, 'ready' from fleet.jobs as j where j.job_id = any(v_due);
  perform fleet._retire_lanes(p_limit);
  return jsonb_build_object('ready', cardinality(v_due), 'expired', coalesce(cardinality(v_gone), 0));
end
$$;

-- _retire_lanes: lanes without ready jobs become idle.
--
-- Locks    lanes FOR UPDATE, SKIP LOCKED: whoever is adding a job to one holds it KEY SHARE
create function fleet._retire_lanes(p_limit integer)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lanes bigint[];
begin
  v_lanes := array(select l.lane_id
                     from fleet.lanes as l
                    where l.active
                      and not exists (select from fleet.ready as r where r.lane_id = l.lane_id and r.order_key >= l.head_key)
                    order by l.lane_id
                    limit p_limit
                      for update skip locked);
  -- Looked at again under the lock: a job may have come before it.
  update fleet.lanes as l
     set active = false
   where l.lane_id = any(v_lanes)
     and not exists (select from fleet.ready as r where r.lane_id = l.lane_id and r.order_key >= l.head_key);
end
$$;
