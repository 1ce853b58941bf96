-- erase_on_v1: bring every erasure a step further.
--
-- Caller   fleet_scheduler
-- p_limit  most jobs that are touched for each
-- Returns  {open, done}: how many are under way still, and how many were finished just now
-- Locks    rows of erasures, skipping those that another scheduler has; then as its steps
create function fleet.erase_on_v1(p_limit integer)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_erasure fleet.erasures;
  v_open    integer := 0;
  v_done    integer := 0;
begin
  perform fleet._durably();
  for v_erasure in select e.* from fleet.erasures as e where e.state <> 'done' order by e.asked_at for update skip locked loop
    case v_erasure.state
      when 'finding'  then perform fleet._find_on(v_erasure, p_limit);
      when 'ending'   then perform fleet._end_on(v_erasure, p_limit);
      when 'wiping'   then perform fleet._wipe_on(v_erasure, p_limit);
      when 'removing' then v_done := v_done + fleet._remove_on(v_erasure, p_limit)::integer;
    end case;
    v_open := v_open + 1;
  end loop;
  return jsonb_build_object('open', v_open - v_done, 'done', v_done);
end
$$;

-- _find_on: until a round finds nothing more. Schedules that name any of it go, for they would submit it again.
create function fleet._find_on(p_erasure fleet.erasures, p_limit integer)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id   uuid := p_erasure.erasure_id;
  v_gone integer;
begin
  if fleet._find_erased(p_erasure, p_limit) > 0 then
    return;
  end if;
  delete from fleet.schedules as s
   where s.project_id = p_erasure.project_id
     and s.created_at <= p_erasure.asked_at
     and (p_erasure.asked ? 'everything'
          or exists (select from jsonb_array_elements(s.jobs) as j where j -> 'tags' @> (p_erasure.asked -> 'tags'))
          or exists (select from jsonb_array_elements(s.jobs) as j
                      cross join lateral fleet._named_files(j -> 'inputs') as i
                       join fleet.erasure_files as f on f.sha256 = i.sha256
                      where f.erasure_id = v_id));
  get diagnostics v_gone = row_count;
  update fleet.erasures as e
     set state = 'ending', schedules = e.schedules + v_gone,
         shared = (select count(distinct b.sha256)
                     from fleet.jobs as j
                    cross join lateral fleet._named_files(j.inputs) as i
                     join fleet.blobs as b on b.project_id = j.project_id and b.sha256 = i.sha256
                    where j.erasure_id = v_id and j.tags @> (e.asked -> 'tags') and b.visible and b.created_at <= e.asked_at)
   where e.erasure_id = v_id;
end
$$;

-- _end_on: cancel what has not ended, and wait for it; then look again, since what ended may have made something meanwhile.
create function fleet._end_on(p_erasure fleet.erasures, p_limit integer)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id   uuid := p_erasure.erasure_id;
  v_jobs uuid[];
begin
  v_jobs := array(select j.job_id
                    from fleet.jobs as j
                   where j.erasure_id = v_id
                     and j.outcome is null
                     and not exists (select from fleet.leases as l where l.job_id = j.job_id and l.command = 'cancel')
                   order by j.job_id
                   limit p_limit);
  if cardinality(v_jobs) > 0 then
    perform fleet.cancel_v1(p_erasure.project_id, v_jobs);
    update fleet.erasures as e set cancelled = e.cancelled + cardinality(v_jobs) where e.erasure_id = v_id;
  elsif not exists (select from fleet.jobs as j where j.erasure_id = v_id and j.outcome is null) then
    update fleet.erasures as e
       set state = case when fleet._find_erased(p_erasure, p_limit) > 0 then 'finding' else 'wiping' end, wiped_to = null
     where e.erasure_id = v_id;
  end if;
end
$$;

-- _wipe_on: of these jobs stays that they ran, where, and for how long; nothing that somebody wrote.
create function fleet._wipe_on(p_erasure fleet.erasures, p_limit integer)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id   uuid := p_erasure.erasure_id;
  v_jobs uuid[];
begin
  v_jobs := array(select j.job_id
                    from fleet.jobs as j
                   where j.erasure_id = v_id and (p_erasure.wiped_to is null or j.job_id > p_erasure.wiped_to)
                   order by j.job_id
                   limit p_limit
                     for no key update);
  if cardinality(v_jobs) > 0 then
    update fleet.jobs as j
       set name = null, params = '{}', model_key = '', inputs = null, tags = null, result = null, webhook = null, trace = null,
           error = case when j.error is not null then '{"message": "erased"}'::jsonb end
     where j.job_id = any(v_jobs);
    delete from fleet.checkpoints as c where c.job_id = any(v_jobs);
    delete from fleet.logs as l where l.job_id = any(v_jobs);
    update fleet.attempts as a set message = null, traceback = null, progress = null where a.job_id = any(v_jobs);
    update fleet.job_events as e set detail = null where e.job_id = any(v_jobs) and e.detail is not null;
    -- Those that are still to be made say that the job ended, and no more.
    delete from fleet.webhook_deliveries as w where w.job_id = any(v_jobs) and w.state <> 'pending';
    update fleet.webhook_deliveries as w set body = w.body #- '{data,name}' #- '{data,tags}' #- '{data,error}'
     where w.job_id = any(v_jobs);
    update fleet.erasures as e set wiped_to = v_jobs[cardinality(v_jobs)] where e.erasure_id = v_id;
    return;
  end if;

  insert into fleet.erasure_nodes as m (erasure_id, node_id)
  select v_id, n.node_id from fleet.nodes as n where exists (select from fleet.sessions as s where s.node_id = n.node_id)
      on conflict (erasure_id, node_id) do update set confirmed_at = null, waived = null;
  perform 1 from fleet.nodes as n order by n.node_id for no key update;
  update fleet.nodes as n set erasing = true
   where not n.erasing and n.node_id in (select m.node_id from fleet.erasure_nodes as m where m.erasure_id = v_id);
  delete from fleet.erasure_files as f
   where f.erasure_id = v_id
     and not exists (select from fleet.blobs as b
                      where (b.project_id, b.sha256) = (f.project_id, f.sha256) and b.leaving_at is not null);
  update fleet.blobs as b
     set leaving_at = greatest(fleet.now(), b.created_at + interval '1 minute')  -- it may not be in the store yet
    from fleet.erasure_files as f
   where f.erasure_id = v_id and (b.project_id, b.sha256) = (f.project_id, f.sha256) and b.leaving_at = 'infinity';
  update fleet.erasures as e
     set state = 'removing', wiped_at = fleet.now(), stored_at = null,
         jobs = (select count(*) from fleet.jobs as j where j.erasure_id = v_id),
         (files, bytes, digest) =
           (select count(*), coalesce(sum(f.size), 0),
                   encode(sha256(convert_to(coalesce(string_agg(f.sha256, E'\n' order by f.sha256 collate "C"), ''), 'UTF8')), 'hex')
              from fleet.erasure_files as f where f.erasure_id = v_id)
   where e.erasure_id = v_id;
end
$$;

-- _remove_on: done when the store has none of it and every node has said so; says whether it is.
create function fleet._remove_on(p_erasure fleet.erasures, p_limit integer)
  returns boolean
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid := p_erasure.erasure_id;
begin
  if p_erasure.stored_at is null then
    if exists (select from fleet.erasure_files as f
                 join fleet.blobs as b on (b.project_id, b.sha256) = (f.project_id, f.sha256)
                where f.erasure_id = v_id and b.leaving_at is not null) then
      return false;
    end if;
    update fleet.erasures as e set stored_at = fleet.now() where e.erasure_id = v_id;
  end if;
  if exists (select from fleet.erasure_nodes as m where m.erasure_id = v_id and m.confirmed_at is null) then
    return false;
  end if;
  -- A submission that was under way when its file was hidden may have come in since.
  if fleet._find_erased(p_erasure, p_limit) > 0 then
    update fleet.erasures as e set state = 'finding' where e.erasure_id = v_id;
    return false;
  end if;
  update fleet.erasures as e
     set state = 'done', done_at = fleet.now(),
         asked = case when e.asked ? 'files' then jsonb_build_object('files', jsonb_array_length(e.asked -> 'files')) else e.asked end
   where e.erasure_id = v_id;
  delete from fleet.erasure_files as f where f.erasure_id = v_id;
  return true;
end
$$;
