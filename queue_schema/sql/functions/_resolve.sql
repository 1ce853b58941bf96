-- _resolve: jobs have just ended; move on, or end, what waits for them, however far down the graph, in the same commit.
--
-- Locks    rows of the dependents in jobs, ascending; ids grow along the graph, so every graph walk agrees
--
-- An edge that is satisfied counts down; at zero its job is ready. One that can no longer be satisfied ends its job at
-- once, which is news for what waits for that one: round by round until nothing more ends. The first edge that breaks
-- decides; of several at once a failure before a branch that is not needed.
--
-- Everything here is looked up by key, a few rows at a time. Without enable_seqscan off, a table that was filled since the
-- last analyze is read whole in each round: a chain of 6,000 took 22 s to end instead of 2.
create function fleet._resolve(p_ended uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off
as $$
declare
  v_now     timestamptz := fleet.now();
  v_below   uuid[];
  v_locked  uuid[] := '{}';
  v_news    uuid[] := p_ended;
  v_ended   uuid[] := '{}';
  v_free    uuid[];
begin
  -- Looked at again under the locks: a job may have been added below one of these while we waited for it.
  loop
    v_below := array(
      with recursive below (job_id, may_end) as (
        select d.job_id, fleet._broken(d.wants, j.outcome, j.cause) is not null
          from fleet.dependencies as d
          join fleet.jobs as j on j.job_id = d.after_job_id
         where d.after_job_id = any(p_ended) and not d.satisfied
         union
        select d.job_id, d.wants <> 'ended'
          from below
          join fleet.waiting as w on w.job_id = below.job_id  -- what has ended before told those below it then
          join fleet.dependencies as d on d.after_job_id = below.job_id and not d.satisfied
         where below.may_end
      )
      select distinct below.job_id from below);
    exit when not exists (select b from unnest(v_below) as b except select k from unnest(v_locked) as k);
    perform 1 from fleet.jobs as j where j.job_id = any(v_below) order by j.job_id for no key update;
    v_locked := v_below;
  end loop;
  if cardinality(v_below) = 0 then
    return;
  end if;

  while v_news is not null loop
    with edge as materialized (
      select d.job_id, d.after_job_id, j.outcome, fleet._broken(d.wants, j.outcome, j.cause) as next
        from fleet.dependencies as d
        join fleet.jobs as j on j.job_id = d.after_job_id
       where d.after_job_id = any(v_news) and not d.satisfied
    ),
    satisfied as (
      update fleet.dependencies as d
         set satisfied = true
        from edge as e
       where e.next is null and (d.job_id, d.after_job_id) = (e.job_id, e.after_job_id)
    ),
    why as (
      select distinct on (e.job_id) e.job_id, e.next,
             case when e.next = 'failed' then format('job %s, which it waited for, did not succeed', e.after_job_id)
                  when e.outcome = 'succeeded' then format('not needed: job %s succeeded', e.after_job_id)
                  else format('not needed: neither was job %s', e.after_job_id) end as message
        from edge as e
       where e.next is not null
       order by e.job_id, e.next = 'cancelled', e.after_job_id
    ),
    gone as (
      delete from fleet.waiting as w using why where w.job_id = why.job_id returning w.job_id
    ),
    counted as (
      update fleet.waiting as w
         set waits_for = w.waits_for - c.n
        from (select e.job_id, count(*)::integer as n from edge as e where e.next is null group by e.job_id) as c
       where w.job_id = c.job_id
         and not exists (select from why where why.job_id = w.job_id)
    ),
    ended as (
      update fleet.jobs as j
         set outcome = why.next, cause = 'dependency', ended_at = v_now, failed_at = case when why.next = 'failed' then v_now end,
             error = jsonb_build_object('message', why.message)
        from gone join why using (job_id)
       where j.job_id = gone.job_id
      returning j.job_id, j.project_id, j.outcome, j.error
    ),
    told as (
      insert into fleet.job_events (job_id, project_id, at, event, detail)
      select e.job_id, e.project_id, v_now, e.outcome::text,
             jsonb_build_object('cause', 'dependency', 'message', e.error ->> 'message')
        from ended as e
    )
    select array_agg(e.job_id) into v_news from ended as e;
    v_ended := v_ended || v_news;
  end loop;
  perform fleet._announce(v_ended);

  v_free := array(select w.job_id
                    from fleet.waiting as w
                   where w.job_id = any(v_below)
                     and w.waits_for = 0
                     and w.run_at <= v_now);
  perform fleet._enqueue(v_free);
  insert into fleet.job_events (job_id, project_id, at, event)
  select j.job_id, j.project_id, v_now, 'ready' from fleet.jobs as j where j.job_id = any(v_free);
end
$$;

-- _broken: what becomes of a job that waits for this end of another one: null when that is what it waited for.
--
-- A branch that is not needed (ended as cancelled, cause dependency) has neither succeeded nor failed: what waits for
-- either is not needed, too. Only `ended` goes on.
create function fleet._broken(p_wants fleet.job_end, p_outcome fleet.job_state, p_cause fleet.cause)
  returns fleet.job_state
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select case
           when p_wants = 'ended' then null
           when p_outcome = 'cancelled' and p_cause = 'dependency' then 'cancelled'
           when p_wants = 'succeeded' and p_outcome <> 'succeeded' then 'failed'
           when p_wants = 'failed' and p_outcome = 'succeeded' then 'cancelled'
         end::fleet.job_state
$$;
