-- _take: take the oldest jobs of a lane that nobody else is taking, as many as there are places.
--
-- p_bound  no younger ones than this
-- jobs     those taken, oldest first; null when there is none
-- next     the age of the job after them; null when there is none that could be taken
-- Locks    rows of ready, SKIP LOCKED
create function fleet._take(p_lane bigint, p_head bigint, p_bound bigint, p_most integer, out jobs uuid[], out next bigint)
  returns record
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  with taken as (
    -- By place on the page: no row of ready is ever updated, so none moves between the lock and the delete.
    delete from fleet.ready as r
     where r.ctid = any(array(select x.ctid
                                from fleet.ready as x
                               where x.lane_id = p_lane
                                 and x.order_key >= p_head
                                 and x.order_key <= p_bound
                               order by x.order_key, x.job_id
                               limit p_most
                                 for update skip locked))
    returning r.order_key, r.job_id
  ),
  last as materialized (
    select t.order_key, t.job_id from taken as t order by t.order_key desc, t.job_id desc limit 1
  )
  select array_agg(t.job_id order by t.order_key, t.job_id),
         (select x.order_key
            from fleet.ready as x
           where x.lane_id = p_lane
             and (x.order_key, x.job_id) > (coalesce((select l.order_key from last as l), p_bound),
                                            coalesce((select l.job_id from last as l), 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by x.order_key, x.job_id
           limit 1)
    into jobs, next
    from taken as t;
end
$$;

-- _take_one: take this one job, unless somebody else is taking it.
create function fleet._take_one(p_job uuid, p_lane bigint, p_order_key bigint)
  returns uuid[]
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with taken as (
    delete from fleet.ready as r
     where r.ctid = any(array(select x.ctid
                                from fleet.ready as x
                               where (x.lane_id, x.order_key, x.job_id) = (p_lane, p_order_key, p_job)
                                 for update skip locked))
    returning r.job_id
  )
  select array_agg(t.job_id) from taken as t
$$;
