-- _unblock: jobs have succeeded; move those that waited for nothing else to ready, in the same commit.
--
-- Locks    rows of the dependents in jobs, ascending; ids grow along the graph, so every graph walk agrees
create function fleet._unblock(p_succeeded uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now        timestamptz := fleet.now();
  v_dependents uuid[];
  v_free       uuid[];
begin
  v_dependents := array(select distinct d.job_id
                          from fleet.dependencies as d
                         where d.after_job_id = any(p_succeeded)
                           and not d.satisfied);
  if cardinality(v_dependents) = 0 then
    return;
  end if;
  perform 1 from fleet.jobs as j where j.job_id = any(v_dependents) order by j.job_id for no key update;

  with satisfied as (
    update fleet.dependencies as d
       set satisfied = true
     where d.after_job_id = any(p_succeeded)
       and not d.satisfied
    returning d.job_id
  ),
  counted as (
    select s.job_id, count(*)::integer as n from satisfied as s group by s.job_id
  )
  update fleet.waiting as w
     set waits_for = w.waits_for - c.n
    from counted as c
   where w.job_id = c.job_id;

  v_free := array(select w.job_id
                    from fleet.waiting as w
                   where w.job_id = any(v_dependents)
                     and w.waits_for = 0
                     and w.run_at <= v_now);
  perform fleet._enqueue(v_free);
  insert into fleet.job_events (job_id, project_id, at, event)
  select j.job_id, j.project_id, v_now, 'ready' from fleet.jobs as j where j.job_id = any(v_free);
end
$$;
