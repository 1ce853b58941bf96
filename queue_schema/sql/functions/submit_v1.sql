-- submit_v1: add jobs, all or none.
--
-- Caller   fleet_api
-- Returns  [{job_id, state, held, ref, created}] in the order of p_jobs; held says why a ready job will not be claimed now
-- Locks    the idempotency key; jobs it waits for (SHARE, ascending, so that none ends unseen); lanes KEY SHARE
-- Errors   JQ002 bad_request, JQ005 not_found, JQ006 conflict; COLUMN names the field as `jobs[i].field`
create function fleet.submit_v1(
  p_project         uuid,
  p_jobs            jsonb,
  p_key             uuid default null,
  p_idempotency_key text default null,
  p_trace           text default null
)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  -- All is looked up by key, a few rows or ten thousand. Without these two a database that was not analyzed yet is read
  -- whole by each submission, and each small one is planned anew.
  set enable_seqscan = off
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_now     timestamptz := fleet.now();
  v_items   fleet.submission[];
  v_ids     uuid[];
  v_lanes   bigint[];
  v_waits   integer[];
  v_hash    bytea;
  v_before  fleet.idempotency;
  v_ready   uuid[];
  v_refs    jsonb;
  v_graph   boolean;
  v_later   boolean;
  v_bounded boolean;
  v_plain   json;
begin
  -- The way of most submissions, with nothing before it.
  if p_idempotency_key is null and jsonb_typeof(p_jobs) = 'array' and p_jobs -> 0 is not null and p_jobs -> 1 is null then
    v_plain := fleet._submit_one(p_project, p_jobs -> 0, p_key, p_trace, v_now);
    if v_plain is not null then
      return v_plain;
    end if;
  end if;
  if jsonb_typeof(p_jobs) is distinct from 'array' or jsonb_array_length(p_jobs) not between 1 and 10000 then
    raise exception using errcode = 'JQ002', message = 'a submission is a list of 1 to 10,000 jobs', column = 'jobs',
      hint = 'Send fewer jobs at once.';
  end if;
  if p_idempotency_key is not null then
    v_hash := sha256(convert_to(p_jobs::text, 'UTF8'));
    insert into fleet.idempotency (project_id, key, request_hash, created_at)
    values (p_project, p_idempotency_key, v_hash, v_now)
        on conflict do nothing;
    if not found then
      select i.* into v_before from fleet.idempotency as i where i.project_id = p_project and i.key = p_idempotency_key;
      if v_before.request_hash <> v_hash then
        raise exception using errcode = 'JQ006', column = 'Idempotency-Key',
          message = format('the idempotency key %s was used for another submission', p_idempotency_key),
          hint = 'Use a new key for a new submission.';
      end if;
      return (select json_agg(json_build_object('job_id', b.job_id, 'state', fleet.state_of(b.job_id),
                                                  'ref', p_jobs -> (b.place::integer - 1) ->> 'ref', 'created', false)
                              order by b.place)
                from unnest(v_before.job_ids) with ordinality as b (job_id, place));
    end if;
  end if;

  if jsonb_array_length(p_jobs) = 1 and p_idempotency_key is not null then
    v_plain := fleet._submit_one(p_project, p_jobs -> 0, p_key, p_trace, v_now);
  end if;
  if v_plain is null and current_setting('synchronous_commit') = 'off' then
    perform fleet._durably();
  end if;
  if jsonb_array_length(p_jobs) > 1 then
    v_ids := fleet.new_ids(jsonb_array_length(p_jobs));
    v_plain := fleet._submit_plain(p_project, v_ids, p_jobs, p_key, p_trace, v_now);
  end if;
  if v_plain is not null then
    if p_idempotency_key is not null then
      update fleet.idempotency as i
         set job_ids = array(select (e.one ->> 'job_id')::uuid from json_array_elements(v_plain) with ordinality as e (one, place)
                              order by e.place)
       where i.project_id = p_project and i.key = p_idempotency_key;
    end if;
    return v_plain;
  end if;
  if not exists (select from fleet.projects as p where p.project_id = p_project) then
    raise exception using errcode = 'JQ005', message = format('there is no project %s', p_project);
  end if;
  perform fleet._check_objects(p_jobs);
  v_items := array(select s from jsonb_array_elements(p_jobs) with ordinality as e (item, place),
                          lateral jsonb_populate_record(null::fleet.submission, e.item) as s order by e.place);
  perform fleet._check_submissions(v_items);
  if p_key is not null then
    perform fleet._check_ceiling(p_key, v_items);
  end if;
  v_ids := coalesce(v_ids, array[fleet.new_id()]);
  v_lanes := fleet._lanes_for(p_project, v_items);
  v_refs := case when exists (select from fleet._items(v_items) as i where i.ref is not null) then fleet._refs(v_items)
                 else '{}' end;
  v_graph := p_jobs @? '$[*] ? (exists(@.after[*]) || exists(@.inputs.*))';
  if v_graph then
    v_waits := fleet._depend(p_project, v_ids, v_items, v_refs);
  else
    v_waits := array_fill(0, array[cardinality(v_ids)]);
  end if;

  insert into fleet.jobs (job_id, project_id, kind, name, priority, lane_id, order_key, model_key, params, inputs, tags,
                          run_at, start_by, timeout_s, retries, exclusive, preemptible, webhook, key_id, trace,
                          created_at)
  select v_ids[i.place], p_project, i.kind, i.name, coalesce(i.priority, 'normal'), v_lanes[i.place],
         (extract(epoch from v_now) * 1000000)::bigint + i.place, coalesce(i.params ->> k.model_param, ''),
         coalesce(i.params, '{}'), case when v_graph then fleet._absolute_inputs(i.inputs, v_ids, v_refs) end, i.tags,
         i.run_at, i.start_by, coalesce(i.timeout_s, k.timeout_s), coalesce(i.retries, k.retries),
         coalesce(i.exclusive, false), coalesce(i.preemptible, false), i.webhook, p_key, p_trace, v_now
    from fleet._items(v_items) as i
    join fleet.kinds as k on k.kind = i.kind;

  select v_graph or bool_or(i.run_at > v_now), bool_or(i.start_by is not null)
    into v_later, v_bounded
    from fleet._items(v_items) as i;
  v_ready := v_ids;
  if v_later then
    insert into fleet.waiting (job_id, waits_for, run_at)
    select j.job_id, v_waits[i.place], coalesce(j.run_at, '-infinity')
      from unnest(v_ids) with ordinality as i (job_id, place)
      join fleet.jobs as j on j.job_id = i.job_id
     where v_waits[i.place] > 0 or j.run_at > v_now;
    v_ready := array(select i.job_id from unnest(v_ids) as i (job_id)
                      where not exists (select from fleet.waiting as w where w.job_id = i.job_id));
  end if;
  if v_bounded then
    insert into fleet.start_by (job_id, start_by)
    select j.job_id, j.start_by from fleet.jobs as j where j.job_id = any(v_ids) and j.start_by is not null;
  end if;
  perform fleet._enqueue(v_ready);
  if exists (select from fleet.idle_sessions as d where d.told_at is null) then
    perform fleet._rouse_for(array(select j.lane_id from fleet.jobs as j where j.job_id = any(v_ready)));
  end if;

  if p_idempotency_key is not null then
    update fleet.idempotency as i set job_ids = v_ids where i.project_id = p_project and i.key = p_idempotency_key;
  end if;
  return (select json_agg(json_build_object('job_id', v_ids[i.place], 'ref', i.ref, 'created', true,
                                            'state', case when w.job_id is null then 'ready' else 'waiting' end,
                                            'held', case when w.job_id is null
                                                         then fleet._held(s.halted, k.quarantined, l.paused) end)
                          order by i.place)
            from fleet._items(v_items) as i
            join fleet.kinds as k on k.kind = i.kind
            join fleet.lanes as l on l.lane_id = v_lanes[i.place]
            join fleet.settings as s on s.one
            left join fleet.waiting as w on v_later and w.job_id = v_ids[i.place]);
end
$$;
