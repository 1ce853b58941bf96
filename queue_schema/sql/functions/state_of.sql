-- state_of: where a job is (I1).
--
-- Caller   every view; people at psql
create function fleet.state_of(p_job uuid)
  returns fleet.job_state
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
           j.outcome,
           case when exists (select from fleet.leases as l where l.job_id = j.job_id) then 'running'::fleet.job_state
                when exists (select from fleet.waiting as w where w.job_id = j.job_id) then 'waiting'::fleet.job_state
                else 'ready'::fleet.job_state end)
    from fleet.jobs as j
   where j.job_id = p_job
$$;
comment on function fleet.state_of(uuid) is 'Where a job is.';
