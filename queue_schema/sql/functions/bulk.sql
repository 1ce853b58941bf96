-- bulk_v1: cancel or requeue the jobs that a filter finds, one bounded batch a call; or only count them.
--
-- Caller   fleet_api
-- p_action   cancel: as cancel_v1. requeue: running attempts are handed back without blame (their agents are asked to stop
--            at a checkpoint), ended jobs run again as by retry_v1
-- p_project  null: of every project
-- p_filter   {jobs, states, kind, priority, tags, older_than_s, node, cause, dead, ended_after, ended_before}; what is left
--            out does not filter
-- p_after    `next` of the batch before. Batches go up the ids, so that what is waited for comes first
-- Returns    {matched, changed, skipped, next}; of a dry run, matched is the whole number and nothing changes
-- Locks      rows of jobs, ascending, those they wait for among them; then as cancel_v1 or retry_v1
-- Errors     JQ002 bad_request
create function fleet.bulk_v1(p_action text, p_project uuid, p_filter jsonb, p_dry boolean default false,
                              p_limit integer default 500, p_after uuid default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_states  text[] := array(select jsonb_array_elements_text(nullif(p_filter -> 'states', 'null')));
  v_bad     text;
  v_ids     uuid[];
  v_one     uuid;
  v_changed integer := 0;
  v_skipped integer := 0;
  v_answer  jsonb;
begin
  if p_action is null or p_action not in ('cancel', 'requeue') then
    raise exception using errcode = 'JQ002', message = format('jobs are cancelled or requeued, not %s', p_action),
      column = 'action', hint = 'cancel or requeue.';
  elsif p_limit is null or p_limit not between 1 and 1000 then
    raise exception using errcode = 'JQ002', message = format('a batch has 1 to 1,000 jobs, not %s', p_limit),
      column = 'limit', hint = 'Ask again with `after` for more.';
  end if;
  select s into v_bad from unnest(v_states) as s
   where s <> all(case p_action when 'cancel' then array['waiting', 'ready', 'running']
                                else array['running', 'succeeded', 'failed', 'cancelled'] end) limit 1;
  if found or (p_action = 'requeue' and cardinality(v_states) = 0) then
    raise exception using errcode = 'JQ002', column = 'where.states',
      message = case when v_bad is null then 'say which jobs to requeue: running ones or ended ones'
                     else format('a job that is %s is not there to %s', v_bad, p_action) end,
      hint = case p_action when 'cancel' then 'waiting, ready or running.' else 'running, failed, cancelled or succeeded.' end;
  end if;
  if cardinality(v_states) = 0 then
    v_states := array['waiting', 'ready', 'running'];
  end if;
  if p_dry is null then
    raise exception using errcode = 'JQ002', message = 'a dry run is one, or it is not', column = 'dry', hint = 'true or false.';
  elsif p_dry then
    return jsonb_build_object('matched', (select count(*) from fleet._matching(p_project, v_states, p_filter, null, null)),
                              'changed', 0, 'skipped', 0, 'next', null);
  end if;

  perform fleet._audit('bulk', jsonb_build_object('action', p_action, 'project', p_project, 'filter', p_filter, 'limit', p_limit,
                                                  'after', p_after));
  perform fleet._durably();
  v_ids := array(select m.job_id from fleet._matching(p_project, v_states, p_filter, p_after, p_limit) as m order by m.job_id);
  perform 1
    from fleet.jobs as j
   where j.job_id = any(v_ids)
      or (p_action = 'requeue'
          and j.job_id in (select d.after_job_id from fleet.dependencies as d where d.job_id = any(v_ids)))
   order by j.job_id
     for no key update;
  for v_one in select distinct j.project_id from fleet.jobs as j where j.job_id = any(v_ids) order by 1 loop
    if p_action = 'cancel' then
      select v_changed + count(*) filter (where a.outcome <> 'already_ended') into v_changed
        from jsonb_to_recordset(fleet.cancel_v1(v_one, array(
               select j.job_id from fleet.jobs as j where j.job_id = any(v_ids) and j.project_id = v_one order by 1)))
             as a (outcome text);
    else
      -- Looked at again under the locks: what ran may have ended while we waited, and its result stands.
      v_answer := fleet._requeue(v_one, array(
                    select j.job_id from fleet.jobs as j
                     where j.job_id = any(v_ids) and j.project_id = v_one and fleet.state_of(j.job_id)::text = any(v_states)
                     order by 1));
      v_changed := v_changed + (v_answer ->> 'changed')::integer;
    end if;
  end loop;
  v_skipped := cardinality(v_ids) - v_changed;
  return jsonb_build_object('matched', cardinality(v_ids), 'changed', v_changed, 'skipped', v_skipped,
                            'next', case when cardinality(v_ids) = p_limit then v_ids[p_limit] end);
end
$$;

-- _matching: jobs that a filter finds, lowest id first. What has not ended is looked up where it is, not in all of jobs.
create function fleet._matching(p_project uuid, p_states text[], p_filter jsonb, p_after uuid, p_limit integer)
  returns table (job_id uuid)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with place (job_id, node_id) as (
    select w.job_id, null::bigint from fleet.waiting as w where 'waiting' = any(p_states)
     union all
    select r.job_id, null from fleet.ready as r where 'ready' = any(p_states)
     union all
    select l.job_id, l.node_id from fleet.leases as l where 'running' = any(p_states)
     union all
    select j.job_id, null
      from fleet.jobs as j
     where p_states && array['succeeded', 'failed', 'cancelled']
       and j.outcome = any(p_states::fleet.job_state[])
       and (p_project is null or j.project_id = p_project)
       and (p_filter -> 'jobs' is null
            or j.job_id in (select e::uuid from jsonb_array_elements_text(p_filter -> 'jobs') as e))
  )
  select j.job_id
    from place as x
    join fleet.jobs as j on j.job_id = x.job_id
   where (p_project is null or j.project_id = p_project)
     and (p_after is null or j.job_id > p_after)
     and (p_filter -> 'jobs' is null
          or j.job_id in (select e::uuid from jsonb_array_elements_text(p_filter -> 'jobs') as e))
     and (p_filter ->> 'kind' is null or j.kind = p_filter ->> 'kind')
     and (p_filter ->> 'priority' is null or j.priority::text = p_filter ->> 'priority')
     and (p_filter -> 'tags' is null or coalesce(j.tags, '{}') @> (p_filter -> 'tags'))
     and (p_filter ->> 'older_than_s' is null
          or j.created_at < fleet.now() - make_interval(secs => (p_filter ->> 'older_than_s')::double precision))
     and (p_filter ->> 'cause' is null or j.cause::text = p_filter ->> 'cause')
     and (p_filter ->> 'ended_after' is null or j.ended_at >= (p_filter ->> 'ended_after')::timestamptz)
     and (p_filter ->> 'ended_before' is null or j.ended_at < (p_filter ->> 'ended_before')::timestamptz)
     and (not coalesce((p_filter ->> 'dead')::boolean, false)
          or (j.outcome = 'failed' and j.cause not in ('dependency', 'expired')))
     and (p_filter ->> 'node' is null
          or exists (select from fleet.nodes as n
                      where n.node = p_filter ->> 'node'
                        and (n.node_id = x.node_id
                             or exists (select from fleet.attempts as a
                                         where a.job_id = j.job_id and a.attempt = j.attempts and a.node_id = n.node_id
                                           and j.outcome is not null))))
   order by j.job_id
   limit p_limit
$$;

-- _requeue: hand running attempts back, and run ended jobs again as far as what they wait for allows; of one project.
--
-- Returns  {changed}
create function fleet._requeue(p_project uuid, p_jobs uuid[])
  returns jsonb
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now     timestamptz := fleet.now();
  v_running uuid[];
  v_again   uuid[];
  v_stuck   uuid[];
  v_channel text;
begin
  with told as (
    update fleet.leases as l
       set command = 'preempt'
     where l.job_id = any(p_jobs)
       and l.command is null
    returning l.job_id
  )
  select array_agg(t.job_id) into v_running from told as t;
  for v_channel in select distinct 'fleet_' || replace(l.session_id::text, '-', '')
                     from fleet.leases as l where l.job_id = any(v_running)
  loop
    perform pg_notify(v_channel, 'preempt');
  end loop;
  insert into fleet.job_events (job_id, project_id, at, event)
  select r, p_project, v_now, 'preempting' from unnest(v_running) as r;

  v_again := array(select j.job_id from fleet.jobs as j
                    where j.job_id = any(p_jobs) and j.outcome is not null and j.erasure_id is null);
  -- Not those that would wait for what has ended in another way, and so not what waits for those: the rest need not wait
  -- for somebody to look at them.
  loop
    v_stuck := array(select distinct d.job_id
                       from fleet.dependencies as d
                       left join fleet.jobs as j on j.job_id = d.after_job_id
                      where d.job_id = any(v_again)
                        and not d.satisfied
                        and (j.job_id is null
                             or (j.outcome is not null and fleet._broken(d.wants, j.outcome, j.cause) is not null))
                        and not d.after_job_id = any(v_again));
    exit when cardinality(v_stuck) = 0;
    v_again := array(select a from unnest(v_again) as a except select s from unnest(v_stuck) as s);
  end loop;
  if cardinality(v_again) > 0 then
    perform fleet.retry_v1(p_project, v_again);
  end if;
  return jsonb_build_object('changed', coalesce(cardinality(v_running), 0) + cardinality(v_again));
end
$$;
