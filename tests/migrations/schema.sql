--
-- PostgreSQL database dump
--

--
-- Name: fleet; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA fleet;

--
-- Name: SCHEMA fleet; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA fleet IS 'Argosy: the queue, the machines and the history. Start with: select * from fleet.v_queue;';

--
-- Name: cause; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.cause AS ENUM (
    'user_error',
    'out_of_memory',
    'timeout',
    'infrastructure',
    'lost',
    'preempted',
    'cancelled',
    'dependency',
    'expired'
);

--
-- Name: TYPE cause; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.cause IS 'Why an attempt or a job did not succeed.';

--
-- Name: job_state; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.job_state AS ENUM (
    'waiting',
    'ready',
    'running',
    'succeeded',
    'failed',
    'cancelled'
);

--
-- Name: TYPE job_state; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.job_state IS 'Where a job is; exactly one at a time (I1).';

--
-- Name: lease_command; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.lease_command AS ENUM (
    'cancel',
    'preempt'
);

--
-- Name: TYPE lease_command; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.lease_command IS 'What the next heartbeat asks of a running attempt.';

--
-- Name: priority; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.priority AS ENUM (
    'low',
    'normal',
    'high',
    'urgent'
);

--
-- Name: TYPE priority; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.priority IS 'Classes in rising order: the greater one is claimed first.';

--
-- Name: room; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.room AS (
	seq bigint,
	slots integer,
	cpu_milli integer,
	disk_mib integer,
	idx integer[],
	kind text[],
	takes boolean[],
	claimable integer[]
);

--
-- Name: submission; Type: TYPE; Schema: fleet; Owner: -
--

CREATE TYPE fleet.submission AS (
	kind text,
	params jsonb,
	name text,
	ref text,
	priority fleet.priority,
	need jsonb,
	inputs jsonb,
	after jsonb,
	run_at timestamp with time zone,
	start_by timestamp with time zone,
	timeout_s bigint,
	retries bigint,
	exclusive boolean,
	webhook text,
	tags jsonb
);

--
-- Name: TYPE submission; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TYPE fleet.submission IS 'One job as its owner states it; queue_schema.shapes.Submission.';

--
-- Name: _absolute_inputs(jsonb, uuid[], fleet.submission[], boolean); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._absolute_inputs(p_inputs jsonb, p_ids uuid[], p_items fleet.submission[], p_graph boolean) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
           when not p_graph or p_inputs is null or p_inputs = '{}' then null
           else (select jsonb_object_agg(n.name, case
                          when r.place is not null then jsonb_set(n.input, '{job}', to_jsonb(p_ids[r.place])) else n.input end)
                   from jsonb_each(p_inputs) as n (name, input)
                   left join lateral (select x.place
                                        from unnest(p_items) with ordinality
                                             as x (kind, params, name, ref, priority, need, inputs, after, run_at, start_by,
                                                   timeout_s, retries, exclusive, webhook, tags, place)
                                       where x.ref = n.input ->> 'job'
                                       limit 1) as r on true)
         end
$$;

--
-- Name: _announce(uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._announce(p_jobs uuid[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into fleet.webhook_deliveries (project_id, job_id, url, body, due_at, created_at)
  select j.project_id, j.job_id, j.webhook,
         jsonb_build_object(
           'type', 'job.' || j.outcome::text,
           'timestamp', j.ended_at,
           'data', jsonb_build_object('job_id', j.job_id, 'kind', j.kind, 'name', j.name, 'state', j.outcome,
                                      'cause', j.cause, 'error', j.error ->> 'message', 'tags', j.tags)),
         j.ended_at, j.ended_at
    from fleet.jobs as j
   where j.job_id = any(p_jobs)
     and j.webhook is not null
     and j.outcome is not null
$$;

--
-- Name: _book(fleet.room, integer[], integer, integer, integer, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._book(p_room fleet.room, p_places integer[], p_vram_mib integer, p_cpu_milli integer, p_ram_mib integer, p_disk_mib integer) RETURNS fleet.room
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_room fleet.room := p_room;
  v_ram  integer := cardinality((p_room).idx);
  v_at   integer;
begin
  foreach v_at in array p_places loop
    v_room.claimable[v_at] := v_room.claimable[v_at] - p_vram_mib;
  end loop;
  v_room.claimable[v_ram] := v_room.claimable[v_ram] - p_ram_mib;
  v_room.cpu_milli := v_room.cpu_milli - p_cpu_milli;
  v_room.disk_mib := v_room.disk_mib - p_disk_mib;
  v_room.slots := v_room.slots - 1;
  return v_room;
end
$$;

--
-- Name: _check_submissions(fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._check_submissions(p_items fleet.submission[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_bad record;
begin
  select i.place - 1 as at, c.field, c.message, c.fix
    into v_bad
    from unnest(p_items) with ordinality
         as i (kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s, retries, exclusive,
               webhook, tags, place)
    left join fleet.kinds as k on k.kind = i.kind
   cross join lateral (
     select case
              when i.kind is null or k.kind is null then array['kind', format('there is no kind %s', coalesce(i.kind, 'null')),
                'Use one of: ' || (select string_agg(kinds.kind, ', ' order by kinds.kind) from fleet.kinds)]
              when jsonb_typeof(i.params) not in ('object') then array['params', 'params is an object', 'Send {}.']
              when i.need is not null and jsonb_typeof(i.need) not in ('object', 'null') then array['need', 'a need is an object',
                'Write {"vram_mib": 8000}.']
              when i.need -> 'labels' is not null and jsonb_typeof(i.need -> 'labels') not in ('object', 'null')
                then array['need.labels', 'labels are an object of texts', 'Write {"zone": "a"}.']
              when length((i.need -> 'labels')::text) > 1000 then array['need.labels', 'labels have at most 1,000 characters',
                'Use fewer.']
              when i.tags is not null and jsonb_typeof(i.tags) not in ('object', 'null') then array['tags', 'tags are an object of texts',
                'Write {"order": "7"}.']
              when i.after is not null and jsonb_typeof(i.after) not in ('array', 'null') then array['after', 'after is a list',
                'Write ["id"].']
              when i.inputs is not null and jsonb_typeof(i.inputs) not in ('object', 'null') then array['inputs', 'inputs are an object',
                'Write {"name": {"sha256": "..."}}.']
              when length(i.params ->> k.model_param) > 500 then array['params.' || k.model_param,
                'the name of a model has at most 500 characters', 'Shorten it.']
              when length(i.name) > 200 then array['name', 'a name has at most 200 characters', 'Shorten it.']
              when i.timeout_s not between 1 and 2592000 then array['timeout_s',
                format('a time limit is 1 s to 30 days, got %s', i.timeout_s), 'Leave it out for the default of the kind.']
              when i.retries not between 0 and 100 then array['retries',
                format('retries are 0 to 100, got %s', i.retries), 'Leave it out for the default of the kind.']
              when i.webhook is not null and i.webhook !~ '^https?://[^\s/]+' then array['webhook',
                'a webhook is an http or https address', 'Write https://host/path.']
              when (i.need ->> 'gpus')::numeric not between 0 and 64 then array['need.gpus',
                format('0 to 64 devices, got %s', i.need ->> 'gpus'), 'One job runs on one node.']
              when (i.need ->> 'vram_mib')::numeric not between 0 and 4194304 then array['need.vram_mib',
                format('0 to 4,194,304 MiB, got %s', i.need ->> 'vram_mib'), 'The unit is MiB.']
              when (i.need ->> 'cpu_milli')::numeric not between 0 and 1024000 then array['need.cpu_milli',
                format('0 to 1,024,000, got %s', i.need ->> 'cpu_milli'), 'The unit is a thousandth of a core.']
              when (i.need ->> 'ram_mib')::numeric not between 0 and 16777216 then array['need.ram_mib',
                format('0 to 16,777,216 MiB, got %s', i.need ->> 'ram_mib'), 'The unit is MiB.']
              when (i.need ->> 'disk_mib')::numeric not between 0 and 1073741824 then array['need.disk_mib',
                format('0 to 1,073,741,824 MiB, got %s', i.need ->> 'disk_mib'), 'The unit is MiB.']
              when i.need ->> 'device' not in ('any', 'gpu', 'ram') then array['need.device',
                format('a device is any, gpu or ram, got %s', i.need ->> 'device'), 'Leave it out for the default of the kind.']
              when i.start_by < i.run_at then array['start_by', 'start_by is before run_at', 'It could never start.']
              when i.ref !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' then array['ref',
                format('%s is no name', i.ref), 'Letters, digits, dots, dashes.']
            end as said
   ) as q
   cross join lateral (select q.said[1] as field, q.said[2] as message, q.said[3] as fix) as c
   where q.said is not null
   order by i.place
   limit 1;

  if found then
    raise exception using errcode = 'JQ002', message = v_bad.message, hint = v_bad.fix,
      column = format('jobs[%s].%s', v_bad.at, v_bad.field);
  end if;
end
$_$;

--
-- Name: _claimed(uuid, uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._claimed(p_session uuid, p_request uuid) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(jsonb_agg(jsonb_build_object(
           'job_id', l.job_id, 'token', l.token, 'attempt', l.attempt, 'project_id', l.project_id, 'kind', j.kind,
           'params', j.params, 'timeout_s', j.timeout_s, 'exclusive', j.exclusive, 'trace', j.trace,
           'grant', jsonb_build_object('devices', l.devices, 'vram_mib', l.vram_mib, 'ram_mib', l.ram_mib,
                                       'cpu_milli', l.cpu_milli, 'disk_mib', l.disk_mib),
           'inputs', case when j.inputs is null then '[]' else fleet._resolved_inputs(j.project_id, j.inputs) end,
           'checkpoint', case when c.job_id is not null
                              then jsonb_build_object('sha256', c.sha256, 'size', c.size, 'step', c.step) end)
           order by j.priority desc, j.order_key), '[]')
    from fleet.leases as l
    join fleet.jobs as j on j.job_id = l.job_id
    left join fleet.checkpoints as c on c.job_id = l.job_id
   where l.session_id = p_session
     and l.request_id = p_request
$$;

--
-- Name: _depend(uuid, uuid[], fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._depend(p_project uuid, p_ids uuid[], p_items fleet.submission[]) RETURNS integer[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_bad   record;
  v_edges jsonb;
begin
  select i.place - 1 as at, i.ref
    into v_bad
    from unnest(p_items) with ordinality
         as i (kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s, retries, exclusive,
               webhook, tags, place)
   where i.ref is not null
     and exists (select from unnest(p_items[:i.place - 1]) as e where e.ref = i.ref)
   limit 1;
  if found then
    raise exception using errcode = 'JQ002', message = format('two jobs of this submission have the ref %s', v_bad.ref),
      column = format('jobs[%s].ref', v_bad.at), hint = 'A ref names one job.';
  end if;

  -- Every pointer at a job, with where it stands; resolved to an id by ref first, else by its own text.
  select jsonb_agg(jsonb_build_object(
           'place', e.place, 'field', e.field,
           'target', e.target, 'at', r.place,
           'job_id', case when r.place is not null then p_ids[r.place]
                          when e.target ~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' then e.target::uuid end))
    into v_edges
    from (select i.place, format('jobs[%s].after[%s]', i.place - 1, a.place - 1) as field, a.target
            from unnest(p_items) with ordinality
                 as i (kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s, retries,
                       exclusive, webhook, tags, place)
           cross join lateral jsonb_array_elements_text(i.after) with ordinality as a (target, place)
           union all
          select i.place, format('jobs[%s].inputs.%s.job', i.place - 1, n.name), n.input ->> 'job'
            from unnest(p_items) with ordinality
                 as i (kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s, retries,
                       exclusive, webhook, tags, place)
           cross join lateral jsonb_each(i.inputs) as n (name, input)
           where n.input ->> 'job' is not null) as e
    left join lateral (select x.place
                         from unnest(p_items) with ordinality
                              as x (kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s,
                                    retries, exclusive, webhook, tags, place)
                        where x.ref = e.target
                        limit 1) as r on true;

  select e.*
    into v_bad
    from jsonb_to_recordset(v_edges) as e (place bigint, field text, target text, at bigint, job_id uuid)
   where e.job_id is null or e.at >= e.place
   order by e.place
   limit 1;
  if found then
    raise exception using errcode = 'JQ002', column = v_bad.field,
      message = case when v_bad.at is null then format('%s is neither a job id nor a ref of this submission', v_bad.target)
                     else format('%s does not stand before the job that waits for it', v_bad.target) end,
      hint = 'Name a job by its id, or by the ref of a job earlier in the same submission.';
  end if;

  perform 1
    from fleet.jobs as j
   where j.job_id in (select e.job_id from jsonb_to_recordset(v_edges) as e (at bigint, job_id uuid) where e.at is null)
   order by j.job_id
     for share;
  select e.field, e.target, j.job_id, j.outcome
    into v_bad
    from jsonb_to_recordset(v_edges) as e (place bigint, field text, target text, at bigint, job_id uuid)
    left join fleet.jobs as j on j.job_id = e.job_id and j.project_id = p_project
   where e.at is null
     and (j.job_id is null or j.outcome in ('failed', 'cancelled'))
   order by e.place
   limit 1;
  if found and v_bad.job_id is null then
    raise exception using errcode = 'JQ005', column = v_bad.field,
      message = format('there is no job %s in this project', v_bad.target), hint = 'List jobs to find its id.';
  elsif found then
    raise exception using errcode = 'JQ006', column = v_bad.field,
      message = format('job %s has ended as %s: what waits for it would never start', v_bad.target, v_bad.outcome),
      hint = 'Retry that job first.';
  end if;

  select format('jobs[%s].inputs.%s', i.place - 1, n.name) as field, n.input
    into v_bad
    from unnest(p_items) with ordinality
         as i (kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s, retries, exclusive,
               webhook, tags, place)
   cross join lateral jsonb_each(i.inputs) as n (name, input)
    left join fleet.blobs as b on b.project_id = p_project and b.sha256 = n.input ->> 'sha256' and b.visible
   where (n.input ->> 'sha256' is null) = (n.input ->> 'job' is null)
      or (n.input ->> 'job' is null) <> (n.input ->> 'output' is null)
      or (n.input ->> 'sha256' is not null and b.sha256 is null)
   order by i.place
   limit 1;
  if found then
    if v_bad.input ->> 'sha256' is not null and v_bad.input ->> 'job' is null then
      raise exception using errcode = 'JQ005', column = v_bad.field || '.sha256',
        message = format('there is no file %s in this project', v_bad.input ->> 'sha256'), hint = 'Upload it first.';
    end if;
    raise exception using errcode = 'JQ002', column = v_bad.field, message = 'an input is a file or an output of a job',
      hint = 'Give either sha256, or job and output.';
  end if;

  insert into fleet.dependencies (job_id, after_job_id, satisfied)
  select distinct p_ids[e.place], e.job_id, j.outcome is not null
    from jsonb_to_recordset(v_edges) as e (place integer, job_id uuid)
    left join fleet.jobs as j on j.job_id = e.job_id;
  return array(select count(d.job_id)::integer
                 from unnest(p_ids) with ordinality as i (job_id, place)
                 left join fleet.dependencies as d on d.job_id = i.job_id and not d.satisfied
                group by i.place
                order by i.place);
end
$_$;

--
-- Name: _enqueue(uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._enqueue(p_jobs uuid[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

--
-- Name: _fail_dependents(uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._fail_dependents(p_ended uuid[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now    timestamptz := fleet.now();
  v_down   uuid[];
  v_locked uuid[] := '{}';
  v_ended  uuid[];
begin
  -- Looked at again under the locks: a job may have been added below one of these while we waited for it.
  loop
    v_down := array(
      with recursive down (job_id) as (
        select d.job_id from fleet.dependencies as d where d.after_job_id = any(p_ended) and not d.satisfied
        union
        select d.job_id from down join fleet.dependencies as d on d.after_job_id = down.job_id and not d.satisfied
      )
      select down.job_id from down);
    exit when v_down <@ v_locked;
    perform 1 from fleet.jobs as j where j.job_id = any(v_down) order by j.job_id for no key update;
    v_locked := v_down;
  end loop;
  if cardinality(v_down) = 0 then
    return;
  end if;

  with gone as (
    delete from fleet.waiting as w where w.job_id = any(v_down) returning w.job_id
  ),
  why as (
    select distinct on (d.job_id) d.job_id, d.after_job_id
      from fleet.dependencies as d
     where d.job_id = any(v_down)
       and (d.after_job_id = any(p_ended) or d.after_job_id = any(v_down))
     order by d.job_id, d.after_job_id
  ),
  ended as (
    update fleet.jobs as j
       set outcome = 'failed', cause = 'dependency', ended_at = v_now,
           error = jsonb_build_object('message', format('job %s, which it waited for, did not succeed', why.after_job_id))
      from gone join why using (job_id)
     where j.job_id = gone.job_id
    returning j.job_id, j.project_id, j.error
  ),
  told as (
    insert into fleet.job_events (job_id, project_id, at, event, detail)
    select e.job_id, e.project_id, v_now, 'failed', jsonb_build_object('cause', 'dependency', 'message', e.error ->> 'message')
      from ended as e
  )
  select array_agg(e.job_id) into v_ended from ended as e;
  perform fleet._announce(v_ended);  -- not v_down: those that had ended before were announced then
end
$$;

--
-- Name: _idx(fleet.room, integer[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._idx(p_room fleet.room, p_places integer[]) RETURNS integer[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(array_agg((p_room).idx[p.at] order by (p_room).idx[p.at]), '{}') from unnest(p_places) as p (at)
$$;

--
-- Name: _judge_node(uuid, uuid[], timestamp with time zone); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._judge_node(p_session uuid, p_jobs uuid[], p_now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_node   bigint;
  v_failed uuid[];
begin
  select s.node_id into v_node from fleet.sessions as s where s.session_id = p_session;
  if exists (select from fleet.jobs as j where j.job_id = any(p_jobs) and j.outcome = 'succeeded') then
    update fleet.node_health as h set failing = '{}' where h.node_id = v_node and h.failing <> '{}';
    return;
  end if;
  v_failed := array(select distinct a.job_id
                      from fleet.jobs as j
                      join fleet.attempts as a on a.job_id = j.job_id and a.attempt = j.attempts
                     where j.job_id = any(p_jobs)
                       and a.ended_at = p_now  -- one partition instead of all
                       and a.node_id = v_node
                       and a.outcome = 'failed'
                       and a.cause in ('user_error', 'out_of_memory', 'timeout', 'infrastructure'));
  if cardinality(v_failed) > 0 then
    insert into fleet.node_health as h (node_id, failing)
    values (v_node, v_failed)
        on conflict (node_id) do update
       set failing = (select array_agg(distinct f) from unnest(h.failing || excluded.failing) as f)
     where cardinality(h.failing) < 8;
  end if;
end
$$;

--
-- Name: _key(uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._key(p_key uuid) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_build_object('key_id', k.key_id, 'project', p.name, 'name', k.name, 'prefix', k.prefix,
                            'scopes', to_jsonb(k.scopes), 'created_at', k.created_at, 'revoked_at', k.revoked_at)
    from fleet.api_keys as k
    join fleet.projects as p on p.project_id = k.project_id
   where k.key_id = p_key
$$;

--
-- Name: _lanes_for(uuid, fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._lanes_for(p_project uuid, p_items fleet.submission[]) RETURNS bigint[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_lanes bigint[];
begin
  for v_try in 1..2 loop
    with wanted as (select * from fleet._wanted(p_items))
    select array_agg(l.lane_id order by w.place)
      into v_lanes
      from wanted as w
      left join fleet.shapes as s
        on (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels)
         = (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels)
      left join fleet.needs as n
        on n.project_id = p_project and n.kind = w.kind and n.model_key = w.model_key and n.declared_shape_id = s.shape_id
      left join fleet.lanes as l
        on l.project_id = p_project and l.priority = w.priority and l.need_id = n.need_id;
    if array_position(v_lanes, null) is null then
      return v_lanes;
    end if;

    perform 1 from fleet.projects as p where p.project_id = p_project for share;
    insert into fleet.shapes (gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, labels)
    select distinct w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels
      from fleet._wanted(p_items) as w
        on conflict do nothing;
    insert into fleet.needs (project_id, kind, model_key, declared_shape_id, shape_id)
    select distinct p_project, w.kind, w.model_key, s.shape_id, s.shape_id
      from fleet._wanted(p_items) as w
      join fleet.shapes as s
        on (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels)
         = (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels)
        on conflict do nothing;
    insert into fleet.lanes (project_id, priority, need_id, paused)
    select distinct p_project, w.priority, n.need_id, w.priority = any(p.paused)
      from fleet._wanted(p_items) as w
      join fleet.shapes as s
        on (s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device, s.labels)
         = (w.gpus, w.vram_mib, w.cpu_milli, w.ram_mib, w.disk_mib, w.device, w.labels)
      join fleet.needs as n
        on n.project_id = p_project and n.kind = w.kind and n.model_key = w.model_key and n.declared_shape_id = s.shape_id
      join fleet.projects as p on p.project_id = p_project
        on conflict do nothing;
  end loop;
  raise exception 'a lane just made is not there';
end
$$;

--
-- Name: _lost_items(uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._lost_items(p_sessions uuid[]) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(jsonb_agg(jsonb_build_object(
           'job_id', l.job_id, 'token', l.token, 'verdict', 'failed', 'cause', 'lost',
           'message', format('node %s went silent', n.node))), '[]')
    from fleet.leases as l
    join fleet.nodes as n on n.node_id = l.node_id
   where l.session_id = any(p_sessions)
$$;

--
-- Name: now(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.now() RETURNS timestamp with time zone
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$select pg_catalog.clock_timestamp()$$;

--
-- Name: FUNCTION now(); Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON FUNCTION fleet.now() IS 'The clock of the fleet.';

--
-- Name: nodes; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.nodes (
    node_id bigint NOT NULL,
    node text NOT NULL,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    facts jsonb DEFAULT '{}'::jsonb NOT NULL,
    pools text[] DEFAULT '{}'::text[] NOT NULL,
    draining boolean DEFAULT false NOT NULL,
    cpu_milli integer DEFAULT 0 NOT NULL,
    disk_mib integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    CONSTRAINT nodes_node_check CHECK ((node ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$'::text))
);

--
-- Name: TABLE nodes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.nodes IS 'Hosts that ever joined.';

--
-- Name: COLUMN nodes.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.node_id IS 'Key.';

--
-- Name: COLUMN nodes.node; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.node IS 'Its name.';

--
-- Name: COLUMN nodes.labels; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.labels IS 'Set by an admin; win over facts.';

--
-- Name: COLUMN nodes.facts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.facts IS 'What its agent measured of itself at the last join.';

--
-- Name: COLUMN nodes.pools; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.pools IS 'Set by an admin: projects may trust only some pools with their data.';

--
-- Name: COLUMN nodes.draining; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.draining IS 'Finishes what it runs and takes nothing new.';

--
-- Name: COLUMN nodes.cpu_milli; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.cpu_milli IS 'CPU at the last join, in thousandths of a core.';

--
-- Name: COLUMN nodes.disk_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.disk_mib IS 'Scratch space at the last join.';

--
-- Name: COLUMN nodes.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.nodes.created_at IS 'First join.';

--
-- Name: sessions; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.sessions (
    session_id uuid DEFAULT gen_random_uuid() NOT NULL,
    node_id bigint NOT NULL,
    instance text NOT NULL,
    boot text NOT NULL,
    version text NOT NULL,
    kinds text[] NOT NULL,
    slots integer NOT NULL,
    secret_hash bytea NOT NULL,
    joined_at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    CONSTRAINT sessions_slots_check CHECK ((slots >= 1))
);

--
-- Name: TABLE sessions; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.sessions IS 'One row per boot of an agent.';

--
-- Name: COLUMN sessions.session_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.session_id IS 'Key.';

--
-- Name: COLUMN sessions.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.node_id IS 'Its node.';

--
-- Name: COLUMN sessions.instance; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.instance IS 'Of the agent''s state folder: a restart has the same, a second machine another.';

--
-- Name: COLUMN sessions.boot; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.boot IS 'pid and start time of the agent.';

--
-- Name: COLUMN sessions.version; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.version IS 'Of the agent.';

--
-- Name: COLUMN sessions.kinds; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.kinds IS 'What it can run.';

--
-- Name: COLUMN sessions.slots; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.slots IS 'Most jobs at once.';

--
-- Name: COLUMN sessions.secret_hash; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.secret_hash IS 'sha256 of the secret join gave out.';

--
-- Name: COLUMN sessions.joined_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.joined_at IS 'Start.';

--
-- Name: COLUMN sessions.ended_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.ended_at IS 'End; null while it lasts.';

--
-- Name: COLUMN sessions.end_reason; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.sessions.end_reason IS 'left, rejoined or silent.';

--
-- Name: _measure(fleet.sessions, fleet.nodes, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._measure(p_session fleet.sessions, p_node fleet.nodes, p_sample jsonb) RETURNS fleet.room
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now  timestamptz := fleet.now();
  v_room fleet.room;
  v_last bigint;
  v_held integer;
begin
  select d.sample_seq into v_last from fleet.devices as d where d.node_id = p_node.node_id and d.idx = -1;
  v_room.seq := (p_sample ->> 'seq')::bigint;
  if v_room.seq is null or v_room.seq <= v_last then
    raise exception using errcode = 'JQ002', column = 'sample.seq',
      message = format('sample %s is not newer than %s, which was used', v_room.seq, v_last),
      hint = 'Measure again, then claim.';
  end if;

  if (p_sample ->> 'disk_free_mib') is null
     or exists (select from jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, free_mib integer)
                 group by x.idx having count(*) > 1 or bool_or(x.free_mib is null or x.idx is null)) then
    raise exception using errcode = 'JQ002', column = 'sample.devices',
      message = 'a sample names each device once, with its free memory, and the free disk',
      hint = 'Leave a device out when it cannot be measured.';
  end if;
  select array_agg(c.idx order by c.idx = -1, c.idx), array_agg(c.kind order by c.idx = -1, c.idx),
         array_agg(c.takes_vram order by c.idx = -1, c.idx), array_agg(c.claimable order by c.idx = -1, c.idx)
    into v_room.idx, v_room.kind, v_room.takes, v_room.claimable
    from (select d.idx, d.kind, d.takes_vram,
                 least(x.free_mib - coalesce(sum(greatest(0, b.booked - coalesce(r.mib, 0))), 0),
                       d.total_mib - coalesce(sum(b.booked), 0))::integer - d.headroom_mib as claimable
            from fleet.devices as d
            join jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, free_mib integer, leases jsonb) on x.idx = d.idx
            left join lateral (select l.token,
                                      case when d.idx = any(l.devices) then l.vram_mib else 0 end
                                      + case when d.kind = 'ram' then l.ram_mib else 0 end as booked
                                 from fleet.leases as l
                                where l.session_id = p_session.session_id) as b on b.booked > 0
            left join lateral (select sum(y.mib) as mib
                                 from jsonb_to_recordset(x.leases) as y (token uuid, mib integer)
                                where y.token = b.token) as r on true
           where d.node_id = p_node.node_id
           group by d.idx, d.kind, d.takes_vram, d.total_mib, d.headroom_mib, x.free_mib) as c;
  if not coalesce(-1 = any(v_room.idx), false) then
    raise exception using errcode = 'JQ002', column = 'sample.devices', message = 'the sample lacks the host''s memory (idx -1)',
      hint = 'Measure every device that was declared; leave out only what is sick.';
  end if;

  select count(*), p_node.cpu_milli - coalesce(sum(l.cpu_milli), 0),
         (p_sample ->> 'disk_free_mib')::integer - coalesce(sum(l.disk_mib), 0)
    into v_held, v_room.cpu_milli, v_room.disk_mib
    from fleet.leases as l
   where l.session_id = p_session.session_id;
  v_room.slots := p_session.slots - v_held;
  -- Three different jobs failed here in a row: one at a time until one succeeds (I8).
  if exists (select from fleet.node_health as h where h.node_id = p_node.node_id and cardinality(h.failing) >= 3) then
    v_room.slots := least(v_room.slots, 1 - v_held);
  end if;

  update fleet.devices as d
     set free_mib = x.free_mib, sampled_at = v_now
    from jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, free_mib integer)
   where d.node_id = p_node.node_id
     and d.idx = x.idx
     and (d.sampled_at is null or d.sampled_at < v_now - interval '5 s');
  return v_room;
end
$$;

--
-- Name: _place(fleet.room, integer, integer, integer, integer, integer, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._place(p_room fleet.room, p_gpus integer, p_vram_mib integer, p_cpu_milli integer, p_ram_mib integer, p_disk_mib integer, p_device text) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_ram   integer := cardinality((p_room).idx);
  v_found integer[];
begin
  if p_cpu_milli > (p_room).cpu_milli or p_disk_mib > (p_room).disk_mib or p_ram_mib > (p_room).claimable[v_ram] then
    return null;
  end if;
  if p_gpus = 0 then
    return '{}';
  end if;
  v_found := array(
    select i.at
      from generate_series(1, v_ram) as i (at)
     where (p_room).takes[i.at]
       and (p_device = 'any' or p_device = (p_room).kind[i.at])
       and (p_room).claimable[i.at] >= p_vram_mib + case when i.at = v_ram then p_ram_mib else 0 end
     order by (p_room).claimable[i.at], i.at
     limit p_gpus);
  return case when cardinality(v_found) = p_gpus then v_found end;
end
$$;

--
-- Name: _publish(uuid[], jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._publish(p_succeeded uuid[], p_items jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  delete from fleet.checkpoints as c where c.job_id = any(p_succeeded);
  delete from fleet.artifacts as a where a.job_id = any(p_succeeded);
  if not p_items @? '$[*].artifacts[*]' then
    return;
  end if;
  with artifact as (
    select j.job_id, j.project_id, a.name, a.sha256, a.size, a.media_type
      from jsonb_to_recordset(p_items) as i (job_id uuid, artifacts jsonb)
      join fleet.jobs as j on j.job_id = i.job_id
     cross join lateral jsonb_to_recordset(i.artifacts) as a (name text, sha256 text, size bigint, media_type text)
     where i.job_id = any(p_succeeded)
  ),
  stored as (
    insert into fleet.blobs (project_id, sha256, size, media_type, visible)
    select distinct on (project_id, sha256) a.project_id, a.sha256, a.size, a.media_type, true
      from artifact as a
     order by project_id, sha256
        on conflict (project_id, sha256) do update set visible = true where not blobs.visible
  )
  insert into fleet.artifacts (job_id, name, project_id, sha256, size, media_type)
  select a.job_id, a.name, a.project_id, a.sha256, a.size, a.media_type
    from artifact as a
      on conflict (job_id, name) do nothing;
end
$_$;

--
-- Name: _resolved_inputs(uuid, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._resolved_inputs(p_project uuid, p_inputs jsonb) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(jsonb_agg(jsonb_build_object(
           'name', n.name,
           'sha256', coalesce(a.sha256, b.sha256),
           'size', coalesce(a.size, b.size),
           'source', case when n.input ? 'job' then format('output %s of job %s', n.input ->> 'output', n.input ->> 'job')
                         else 'file ' || (n.input ->> 'sha256') end) order by n.name), '[]')
    from jsonb_each(p_inputs) as n (name, input)
    left join fleet.artifacts as a
      on a.job_id = (n.input ->> 'job')::uuid and a.name = n.input ->> 'output' and a.project_id = p_project
    left join fleet.blobs as b on b.project_id = p_project and b.sha256 = n.input ->> 'sha256'
$$;

--
-- Name: _retire_lanes(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._retire_lanes(p_limit integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_lanes bigint[];
begin
  v_lanes := array(select l.lane_id
                     from fleet.lanes as l
                    where l.active
                      and not exists (select from fleet.ready as r where r.lane_id = l.lane_id)
                    order by l.lane_id
                    limit p_limit
                      for update skip locked);
  -- Looked at again under the lock: a job may have come before it.
  update fleet.lanes as l
     set active = false
   where l.lane_id = any(v_lanes)
     and not exists (select from fleet.ready as r where r.lane_id = l.lane_id);
end
$$;

--
-- Name: _session(uuid, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._session(p_session uuid, p_secret text) RETURNS fleet.sessions
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_session fleet.sessions;
begin
  select s.*
    into v_session
    from fleet.sessions as s
   where s.session_id = p_session
     and s.secret_hash = sha256(convert_to(p_secret, 'UTF8'))
     and s.ended_at is null
     for key share;

  if not found then
    raise exception using errcode = 'JQ003',
      message = format('session %s has ended, or never was, or the secret is wrong', p_session),
      hint = 'Join again.';
  end if;
  return v_session;
end
$$;

--
-- Name: _settle(uuid, jsonb, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._settle(p_session uuid, p_items jsonb, p_by text) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now       timestamptz := fleet.now();
  v_ids       uuid[];
  v_succeeded uuid[];
  v_failed    uuid[];
  v_requeued  uuid[];
  v_answer    jsonb;
  v_settled   jsonb;
begin
  perform set_config('synchronous_commit', 'on', true);
  v_ids := array(select distinct i.job_id from jsonb_to_recordset(p_items) as i (job_id uuid));
  perform 1 from fleet.jobs as j where j.job_id = any(v_ids) order by j.job_id for no key update;

  with item as materialized (
    select i.*
      from rows from (jsonb_to_recordset(p_items) as (
             job_id uuid, token uuid, verdict text, cause fleet.cause, message text, traceback text,
             peak_mib integer, "values" jsonb)) with ordinality
             as i (job_id, token, verdict, cause, message, traceback, peak_mib, "values", place)
  ),
  taken as (
    delete from fleet.leases as l
     using item as i
     where l.job_id = i.job_id
       and l.token = i.token
       and (p_session is null or l.session_id = p_session)
    returning l.*, i.verdict, i.cause, i.message, i.traceback, i.peak_mib, i."values"
  ),
  decided as materialized (
    select t.*, p.charged, j.retries_used, j.infra_used,
           case
             when t.verdict = 'succeeded' then 'succeeded'
             when t.command = 'cancel' or t.cause = 'cancelled' then 'cancelled'
             when t.verdict = 'released' then 'released'
             when p.retried and p.charged = 'user' and j.retries_used < j.retries then 'retrying'
             when p.retried and p.charged = 'infrastructure' and j.infra_used < s.max_infra_retries then 'retrying'
             when p.retried and p.charged = 'nobody' then 'retrying'
             else 'failed'
           end as next,
           make_interval(secs =>
             least(p.max_s, p.base_s * 2 ^ least(case p.charged when 'user' then j.retries_used else j.infra_used end, 20))
             * (0.5 + random() / 2)) as pause
      from taken as t
      join fleet.jobs as j on j.job_id = t.job_id
      join fleet.settings as s on s.one
      left join fleet.retry_policies as p on p.cause = t.cause
  ),
  history as (
    insert into fleet.attempts (job_id, project_id, attempt, token, session_id, node_id, devices, vram_mib, ram_mib,
                                started_at, ended_at, outcome, settled_by, cause, message, traceback, peak_mib, progress)
    select d.job_id, d.project_id, d.attempt, d.token, d.session_id, d.node_id, d.devices, d.vram_mib, d.ram_mib,
           d.claimed_at, v_now, d.verdict, p_by, d.cause, d.message, d.traceback, d.peak_mib,
           case when g.token is not null
                then jsonb_build_object('step', g.step, 'total', g.total, 'message', g.message, 'metrics', g.metrics,
                                        'metrics_step', g.metrics_step, 'at', g.at) end
      from decided as d
      left join fleet.progress as g on g.job_id = d.job_id and g.token = d.token
  ),
  forgotten as (
    delete from fleet.progress as g using decided as d where g.job_id = d.job_id
  ),
  written as (
    update fleet.jobs as j
       set attempts     = d.attempt,
           retries_used = j.retries_used + (d.next = 'retrying' and d.charged = 'user')::integer,
           infra_used   = j.infra_used + (d.next = 'retrying' and d.charged = 'infrastructure')::integer,
           outcome      = case when d.next in ('succeeded', 'failed', 'cancelled') then d.next::fleet.job_state end,
           ended_at     = case when d.next in ('succeeded', 'failed', 'cancelled') then v_now end,
           cause        = case d.next when 'failed' then d.cause when 'cancelled' then 'cancelled'::fleet.cause end,
           error        = case when d.next = 'succeeded' then null
                               when d.verdict = 'failed'
                               then jsonb_strip_nulls(jsonb_build_object('message', d.message, 'traceback', d.traceback))
                               else j.error end,
           result       = case d.next when 'succeeded' then coalesce(d."values", '{}') end
      from decided as d
     where j.job_id = d.job_id
  ),
  backoff as (
    insert into fleet.waiting (job_id, waits_for, run_at)
    select d.job_id, 0, v_now + d.pause from decided as d where d.next = 'retrying' and d.pause > interval '0'
  ),
  told as (
    insert into fleet.job_events (job_id, project_id, at, event, detail)
    select d.job_id, d.project_id, v_now,
           case when d.next = 'retrying' and d.cause = 'lost' then 'lost' else d.next end,
           jsonb_strip_nulls(jsonb_build_object(
             'attempt', d.attempt, 'node', n.node, 'cause', d.cause, 'message', d.message,
             'run_at', case when d.next = 'retrying' and d.pause > interval '0' then v_now + d.pause end))
      from decided as d
      join fleet.nodes as n on n.node_id = d.node_id
  ),
  answered as (
    select i.place, i.job_id, i.token,
           case when d.token is not null then 'settled'
                when exists (select from fleet.attempts as a
                              where a.job_id = i.job_id and a.token = i.token and a.settled_by = 'agent') then 'already_settled'
                else 'lease_lost' end as outcome,
           d.next, d.pause
      from item as i
      left join decided as d on d.job_id = i.job_id and d.token = i.token
  )
  select jsonb_agg(jsonb_build_object(
           'job_id', a.job_id, 'token', a.token, 'outcome', a.outcome,
           'state', case
                      when a.next in ('succeeded', 'failed', 'cancelled') then a.next
                      when a.next = 'retrying' and a.pause > interval '0' then 'waiting'
                      when a.next is not null then 'ready'
                      when a.outcome = 'already_settled' then fleet.state_of(a.job_id)::text
                    end) order by a.place),
         array_agg(a.job_id) filter (where a.next = 'succeeded'),
         array_agg(a.job_id) filter (where a.next in ('failed', 'cancelled')),
         array_agg(distinct a.job_id) filter (where a.next = 'released' or (a.next = 'retrying' and a.pause <= interval '0'))
    into v_answer, v_succeeded, v_failed, v_requeued
    from answered as a;

  -- What is done with the items from here on is done with those that held: a stale one publishes and judges nothing.
  select jsonb_agg(e.item), array_agg((e.item ->> 'job_id')::uuid)
    into v_settled, v_ids
    from jsonb_array_elements(p_items) with ordinality as e (item, place)
    join jsonb_array_elements(v_answer) with ordinality as a (said, place) on a.place = e.place
   where a.said ->> 'outcome' = 'settled';
  perform fleet._enqueue(v_requeued);
  if v_succeeded is not null then
    perform fleet._publish(v_succeeded, v_settled);
    perform fleet._unblock(v_succeeded);
    perform fleet._announce(v_succeeded);
  end if;
  if v_failed is not null then
    perform fleet._fail_dependents(v_failed);
    perform fleet._announce(v_failed);
  end if;
  if p_by = 'agent' and v_ids is not null then
    perform fleet._judge_node(p_session, v_ids, v_now);
  end if;
  return coalesce(v_answer, '[]');
end
$$;

--
-- Name: _unblock(uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._unblock(p_succeeded uuid[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

--
-- Name: _wanted(fleet.submission[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._wanted(p_items fleet.submission[]) RETURNS TABLE(place bigint, kind text, model_key text, priority fleet.priority, gpus integer, vram_mib integer, cpu_milli integer, ram_mib integer, disk_mib integer, device text, labels jsonb)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select i.place, i.kind, coalesce(i.params ->> k.model_param, ''), coalesce(i.priority, 'normal'),
         coalesce((i.need ->> 'gpus')::integer, k.gpus),
         case when coalesce((i.need ->> 'gpus')::integer, k.gpus) = 0 then 0
              else coalesce((i.need ->> 'vram_mib')::integer, k.vram_mib) end,
         coalesce((i.need ->> 'cpu_milli')::integer, k.cpu_milli),
         coalesce((i.need ->> 'ram_mib')::integer, k.ram_mib),
         coalesce((i.need ->> 'disk_mib')::integer, k.disk_mib),
         coalesce(i.need ->> 'device', k.device),
         coalesce(nullif(i.need -> 'labels', 'null'), '{}')
    from unnest(p_items) with ordinality
         as i (kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s, retries, exclusive,
               webhook, tags, place)
    join fleet.kinds as k on k.kind = i.kind
$$;

--
-- Name: _with(jsonb, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet._with(p_items jsonb, p_fields jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(jsonb_agg(e.item || p_fields), '[]') from jsonb_array_elements(p_items) as e (item)
$$;

--
-- Name: authenticate_v1(text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.authenticate_v1(p_key text) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(
    (select jsonb_build_object('key_id', k.key_id, 'project_id', k.project_id, 'project', p.name, 'scopes', to_jsonb(k.scopes))
       from fleet.api_keys as k
       join fleet.projects as p on p.project_id = k.project_id
      where k.prefix = left(p_key, 19)
        and k.hash = sha256(convert_to(p_key, 'UTF8'))
        and k.revoked_at is null), 'null')
$$;

--
-- Name: cancel_v1(uuid, uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.cancel_v1(p_project uuid, p_jobs uuid[]) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now     timestamptz := fleet.now();
  v_missing uuid;
  v_done    uuid[];
  v_running uuid[];
  v_channel text;
begin
  perform set_config('synchronous_commit', 'on', true);
  perform 1 from fleet.jobs as j where j.job_id = any(p_jobs) and j.project_id = p_project order by j.job_id
     for no key update;
  select i.job_id
    into v_missing
    from unnest(p_jobs) as i (job_id)
   where not exists (select from fleet.jobs as j where j.job_id = i.job_id and j.project_id = p_project)
   limit 1;
  if found then
    raise exception using errcode = 'JQ005', message = format('there is no job %s in this project', v_missing),
      hint = 'List jobs to find its id.';
  end if;

  with waited as (
    delete from fleet.waiting as w where w.job_id = any(p_jobs) returning w.job_id
  ),
  stood as (
    delete from fleet.ready as r
     using fleet.jobs as j
     where j.job_id = any(p_jobs)
       and (r.lane_id, r.order_key, r.job_id) = (j.lane_id, j.order_key, j.job_id)
    returning r.job_id
  )
  select array_agg(g.job_id) into v_done from (select job_id from waited union all select job_id from stood) as g;
  update fleet.jobs as j
     set outcome = 'cancelled', cause = 'cancelled', ended_at = v_now
   where j.job_id = any(v_done);

  with told as (
    update fleet.leases as l
       set command = 'cancel'
     where l.job_id = any(p_jobs)
       and l.command is distinct from 'cancel'
    returning l.job_id, l.session_id
  )
  select array_agg(t.job_id) into v_running from told as t;
  for v_channel in select distinct 'fleet_' || replace(l.session_id::text, '-', '')
                     from fleet.leases as l where l.job_id = any(v_running)
  loop
    perform pg_notify(v_channel, 'cancel');
  end loop;

  insert into fleet.job_events (job_id, project_id, at, event)
  select j.job_id, j.project_id, v_now, case when j.job_id = any(v_done) then 'cancelled' else 'cancelling' end
    from fleet.jobs as j
   where j.job_id = any(v_done) or j.job_id = any(v_running);
  if v_done is not null then
    perform fleet._fail_dependents(v_done);
    perform fleet._announce(v_done);
  end if;
  return (select coalesce(jsonb_agg(jsonb_build_object(
                   'job_id', i.job_id, 'state', fleet.state_of(i.job_id),
                   'outcome', case when i.job_id = any(v_done) then 'cancelled'
                                   when j.outcome is null then 'cancelling'
                                   else 'already_ended' end) order by i.place), '[]')
            from unnest(p_jobs) with ordinality as i (job_id, place)
            join fleet.jobs as j on j.job_id = i.job_id);
end
$$;

--
-- Name: checkpoint_v1(uuid, text, uuid, uuid, text, bigint, bigint); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint, p_step bigint) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now   timestamptz := fleet.now();
  v_lease fleet.leases;
begin
  perform fleet._session(p_session, p_secret);
  select l.*
    into v_lease
    from fleet.leases as l
   where l.job_id = p_job and l.token = p_token and l.session_id = p_session
     for key share;
  if not found then
    raise exception using errcode = 'JQ001', message = format('job %s: lease %s is not the current lease', p_job, p_token),
      hint = 'Another agent may own this job now; drop the result.';
  end if;
  insert into fleet.checkpoints (job_id, project_id, token, attempt, sha256, size, step, at)
  values (p_job, v_lease.project_id, p_token, v_lease.attempt, p_sha256, p_size, p_step, v_now)
      on conflict (job_id) do update
     set token = excluded.token, attempt = excluded.attempt, sha256 = excluded.sha256, size = excluded.size,
         step = excluded.step, at = excluded.at;
  insert into fleet.job_events (job_id, project_id, at, event, detail)
  values (p_job, v_lease.project_id, v_now, 'checkpoint', jsonb_build_object('attempt', v_lease.attempt, 'step', p_step));
  return 'null';
end
$$;

--
-- Name: claim_v1(uuid, text, uuid, jsonb, integer, boolean); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer, p_waiting boolean DEFAULT false) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now     timestamptz := fleet.now();
  v_session fleet.sessions;
  v_node    fleet.nodes;
  v_room    fleet.room;
  v_next    fleet.room;
  v_left    integer;
  v_lane    record;
  v_dry     bigint[] := '{}';
  v_held    bigint[] := '{}';
  v_places  text[];
  v_one     integer[];
  v_jobs    uuid[];
begin
  v_session := fleet._session(p_session, p_secret);
  select n.* into strict v_node from fleet.nodes as n where n.node_id = v_session.node_id;
  if p_want is null or p_want < 1 then
    raise exception using errcode = 'JQ002', message = format('a claim wants at least one job, got %s', p_want),
      column = 'want', hint = 'Do not claim when there is no free slot.';
  end if;
  -- Under the lock, so that a repeat that overtakes its first run waits for it, and replays it.
  perform 1 from fleet.devices as d where d.node_id = v_node.node_id order by d.idx for no key update;
  if exists (select from fleet.leases as l where l.session_id = p_session and l.request_id = p_request) then
    return fleet._claimed(p_session, p_request);
  end if;
  if v_node.draining then
    return '[]';
  end if;

  v_room := fleet._measure(v_session, v_node, p_sample);
  v_left := least(p_want, v_room.slots);
  while v_left > 0 loop
    -- The best lane that fits now, and the head of the next best of the same class and rank.
    select f.*, lead(f.head) over w as next_head, lead(f.priority) over w as next_priority, lead(f.rank) over w as next_rank
      into v_lane
      from (select l.lane_id, l.priority, l.rank, h.order_key as head,
                   s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device
              from fleet.lanes as l
              join fleet.needs as n on n.need_id = l.need_id
              join fleet.shapes as s on s.shape_id = n.shape_id
              join fleet.projects as p on p.project_id = l.project_id
             cross join lateral (select r.order_key
                                   from fleet.ready as r
                                  where r.lane_id = l.lane_id
                                  order by r.order_key
                                  limit 1) as h
             where l.active
               and not l.paused
               and not l.lane_id = any(v_dry)
               and n.kind = any(v_session.kinds)
               and (p.trusted_pools is null or p.trusted_pools && v_node.pools)
               and (s.labels = '{}' or (v_node.facts || v_node.labels) @> s.labels)
               and fleet._place(v_room, s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device) is not null) as f
    window w as (order by f.priority desc, f.rank, f.head)
     order by f.priority desc, f.rank, f.head
     limit 1;
    exit when not found;

    -- How many of its shape fit, and where each would go.
    v_next := v_room;
    v_places := '{}';
    while cardinality(v_places) < v_left loop
      v_one := fleet._place(v_next, v_lane.gpus, v_lane.vram_mib, v_lane.cpu_milli, v_lane.ram_mib, v_lane.disk_mib,
                            v_lane.device);
      exit when v_one is null;
      v_places := v_places || v_one::text;
      v_next := fleet._book(v_next, v_one, v_lane.vram_mib, v_lane.cpu_milli, v_lane.ram_mib, v_lane.disk_mib);
    end loop;

    with picked as (
      select r.lane_id, r.order_key, r.job_id
        from fleet.ready as r
       where r.lane_id = v_lane.lane_id
         and (v_lane.lane_id = any(v_held) or v_lane.next_head is null or v_lane.next_priority <> v_lane.priority or v_lane.next_rank <> v_lane.rank
              or r.order_key <= v_lane.next_head)
       order by r.order_key, r.job_id
       limit cardinality(v_places)
         for update skip locked
    ),
    taken as (
      delete from fleet.ready as r
       using picked as p
       where (r.lane_id, r.order_key, r.job_id) = (p.lane_id, p.order_key, p.job_id)
      returning r.order_key, r.job_id
    )
    select array_agg(t.job_id order by t.order_key, t.job_id) into v_jobs from taken as t;

    if v_jobs is null then
      -- All we looked at is being taken by others: look past the bound, then leave the lane.
      if v_lane.lane_id = any(v_held) or v_lane.next_head is null then
        v_dry := v_dry || v_lane.lane_id;
      else
        v_held := v_held || v_lane.lane_id;
      end if;
      continue;
    end if;
    insert into fleet.leases (job_id, token, session_id, node_id, project_id, request_id, attempt, devices, vram_mib, ram_mib,
                              cpu_milli, disk_mib, claimed_at, deadline)
    select j.job_id, gen_random_uuid(), p_session, v_node.node_id, j.project_id, p_request, j.attempts + 1,
           fleet._idx(v_room, v_places[t.place]::integer[]), v_lane.vram_mib, v_lane.ram_mib, v_lane.cpu_milli,
           v_lane.disk_mib, v_now, v_now + make_interval(secs => j.timeout_s)
      from unnest(v_jobs) with ordinality as t (job_id, place)
      join fleet.jobs as j on j.job_id = t.job_id;
    for i in 1..cardinality(v_jobs) loop
      v_room := fleet._book(v_room, v_places[i]::integer[], v_lane.vram_mib, v_lane.cpu_milli, v_lane.ram_mib,
                            v_lane.disk_mib);
    end loop;
    v_left := v_left - cardinality(v_jobs);
  end loop;

  if exists (select from fleet.leases as l where l.session_id = p_session and l.request_id = p_request) then
    perform set_config('synchronous_commit', 'on', true);
    insert into fleet.job_events (job_id, project_id, at, event, detail)
    select l.job_id, l.project_id, v_now, 'claimed', jsonb_build_object('attempt', l.attempt, 'node', v_node.node,
                                                                        'devices', l.devices)
      from fleet.leases as l
     where l.session_id = p_session and l.request_id = p_request;
    update fleet.devices as d set sample_seq = v_room.seq where d.node_id = v_node.node_id and d.idx = -1;
    delete from fleet.idle_sessions as i where i.session_id = p_session;
  elsif p_waiting then
    insert into fleet.idle_sessions (session_id, since) values (p_session, v_now) on conflict do nothing;
  end if;
  return fleet._claimed(p_session, p_request);
end
$$;

--
-- Name: complete_v1(uuid, text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.complete_v1(p_session uuid, p_secret text, p_items jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform fleet._session(p_session, p_secret);
  return fleet._settle(p_session, fleet._with(p_items, '{"verdict": "succeeded"}'), 'agent');
end
$$;

--
-- Name: configure_v1(jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.configure_v1(p_settings jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now     fleet.settings;
  v_unknown text;
begin
  select s.* into strict v_now from fleet.settings as s for update;
  select k.name into v_unknown from jsonb_object_keys(p_settings) as k (name)
   where k.name = 'one' or not to_jsonb(v_now) ? k.name limit 1;
  if found then
    raise exception using errcode = 'JQ002', column = v_unknown, message = format('there is no setting %s', v_unknown),
      hint = (select 'Use one of: ' || string_agg(k.name, ', ' order by k.name)
                from jsonb_object_keys(to_jsonb(v_now) - 'one') as k (name));
  end if;
  v_now := jsonb_populate_record(v_now, p_settings);
  update fleet.settings as s
     set lease_s = v_now.lease_s, heartbeat_s = v_now.heartbeat_s, max_infra_retries = v_now.max_infra_retries,
         alarm_share = v_now.alarm_share, alarm_min_nodes = v_now.alarm_min_nodes, alarm_hold_s = v_now.alarm_hold_s,
         log_bytes = v_now.log_bytes;
  return to_jsonb(v_now) - 'one';
exception when check_violation or not_null_violation or invalid_text_representation or numeric_value_out_of_range then
  raise exception using errcode = 'JQ002', message = format('these settings do not go together: %s', sqlerrm),
    column = 'settings', hint = 'Three heartbeats must fit into a lease; numbers are not negative.';
end
$$;

--
-- Name: create_key_v1(text, text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.create_key_v1(p_project text, p_name text, p_scopes jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_project uuid;
  v_prefix  text := 'argosy_' || substr(encode(uuid_send(gen_random_uuid()), 'hex'), 1, 12);
  v_key     text := v_prefix || '_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
  v_scopes  text[] := array(select distinct jsonb_array_elements_text(p_scopes));
  v_id      uuid;
begin
  perform set_config('synchronous_commit', 'on', true);
  if p_project is null or p_project !~ '^[a-z0-9][a-z0-9._-]{0,62}$' then
    raise exception using errcode = 'JQ002', message = format('%s is no project name', coalesce(p_project, 'null')),
      column = 'project', hint = 'Lower-case letters, digits, dots, dashes; 63 at most.';
  end if;
  if not v_scopes <@ array['submit', 'read', 'admin'] or cardinality(v_scopes) = 0 then
    raise exception using errcode = 'JQ002', message = format('scopes are submit, read and admin, got %s', p_scopes),
      column = 'scopes', hint = 'Name at least one.';
  end if;
  insert into fleet.projects (name, webhook_secret)
  values (p_project, 'whsec_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'))
      on conflict (name) do nothing;
  select p.project_id into strict v_project from fleet.projects as p where p.name = p_project;
  insert into fleet.api_keys (project_id, name, prefix, hash, scopes)
  values (v_project, p_name, v_prefix, sha256(convert_to(v_key, 'UTF8')), v_scopes)
  returning key_id into v_id;
  return jsonb_build_object('key_id', v_id, 'key', v_key, 'project_id', v_project);
end
$_$;

--
-- Name: drain_v1(text, boolean); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.drain_v1(p_node text, p_on boolean) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_node bigint;
begin
  if not exists (select from fleet.nodes as n where n.node = p_node) then
    raise exception using errcode = 'JQ005', message = format('there is no node %s', p_node), column = 'node',
      hint = 'List nodes to find its name.';
  end if;
  update fleet.nodes as n set draining = p_on where n.node = p_node and n.draining <> p_on returning n.node_id into v_node;
  if v_node is null then
    return 'false';
  end if;
  perform pg_notify('fleet_' || replace(s.session_id::text, '-', ''), 'drain')
     from fleet.sessions as s where s.node_id = v_node and s.ended_at is null;
  return 'true';
end
$$;

--
-- Name: due_webhooks_v1(integer, double precision); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.due_webhooks_v1(p_limit integer, p_hold_s double precision) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now   timestamptz := fleet.now();  -- a variable: a volatile function would be no index condition
  v_taken jsonb;
begin
  with due as (
    select w.delivery_id
      from fleet.webhook_deliveries as w
     where w.state = 'pending'
       and w.due_at <= v_now
     order by w.due_at
     limit p_limit
       for update skip locked
  ),
  taken as (
    update fleet.webhook_deliveries as w
       set tries = w.tries + 1, due_at = v_now + make_interval(secs => p_hold_s)
      from due
     where w.delivery_id = due.delivery_id
    returning w.*
  )
  select coalesce(jsonb_agg(jsonb_build_object('delivery_id', t.delivery_id, 'url', t.url, 'secret', p.webhook_secret,
                                               'body', t.body, 'attempt', t.tries)), '[]')
    into v_taken
    from taken as t
    join fleet.projects as p on p.project_id = t.project_id;
  return v_taken;
end
$$;

--
-- Name: fail_v1(uuid, text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.fail_v1(p_session uuid, p_secret text, p_items jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform fleet._session(p_session, p_secret);
  if exists (select from jsonb_array_elements(p_items) as e (item)
              where coalesce(e.item ->> 'cause', '') not in ('user_error', 'out_of_memory', 'timeout', 'infrastructure',
                                                             'preempted', 'cancelled')) then
    raise exception using errcode = 'JQ002', message = 'an agent names one of its own causes', column = 'cause',
      hint = 'user_error, out_of_memory, timeout, infrastructure, preempted or cancelled.';
  end if;
  return fleet._settle(p_session, fleet._with(p_items, '{"verdict": "failed"}'), 'agent');
end
$$;

--
-- Name: grant_v1(uuid, text, uuid, uuid, text, boolean, bigint, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean, p_size bigint DEFAULT 0, p_media_type text DEFAULT 'application/octet-stream'::text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_lease fleet.leases;
  v_job   fleet.jobs;
begin
  perform fleet._session(p_session, p_secret);
  select l.* into v_lease from fleet.leases as l where l.job_id = p_job and l.token = p_token and l.session_id = p_session;
  if not found then
    raise exception using errcode = 'JQ001', message = format('job %s: lease %s is not the current lease', p_job, p_token),
      hint = 'Another agent may own this job now; drop the result.';
  end if;
  if p_write then
    insert into fleet.blobs (project_id, sha256, size, media_type, visible)
    values (v_lease.project_id, p_sha256, p_size, p_media_type, false)
        on conflict do nothing;
    return jsonb_build_object('project_id', v_lease.project_id);
  end if;

  select j.* into strict v_job from fleet.jobs as j where j.job_id = p_job;
  if not exists (select from jsonb_to_recordset(fleet._resolved_inputs(v_job.project_id, coalesce(v_job.inputs, '{}')))
                          as i (sha256 text)
                  where i.sha256 = p_sha256)
     and not exists (select from fleet.checkpoints as c where c.job_id = p_job and c.sha256 = p_sha256) then
    raise exception using errcode = 'JQ007', message = format('file %s is no input of job %s', p_sha256, p_job),
      hint = 'A lease opens the files of its own job only.';
  end if;
  return jsonb_build_object('project_id', v_lease.project_id);
end
$$;

--
-- Name: heartbeat_v1(uuid, text, uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[]) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now   timestamptz := fleet.now();
  v_node  bigint;
  v_beat_s double precision;
begin
  perform set_config('synchronous_commit', 'off', true);
  select s.node_id
    into v_node
    from fleet.sessions as s
   where s.session_id = p_session
     and s.secret_hash = sha256(convert_to(p_secret, 'UTF8'))
     and s.ended_at is null;
  if not found then
    raise exception using errcode = 'JQ003',
      message = format('session %s has ended, or never was, or the secret is wrong', p_session), hint = 'Join again.';
  end if;

  update fleet.session_beats as b set beat_at = v_now where b.session_id = p_session;
  select s.heartbeat_s into v_beat_s from fleet.settings as s;
  update fleet.leases as l
     set unnamed = case when l.token = any(p_tokens) then 0 else l.unnamed + 1 end
   where l.job_id in (select c.job_id
                        from fleet.leases as c
                       where c.session_id = p_session
                         and ((c.token = any(p_tokens) and c.unnamed > 0)
                              or (not c.token = any(p_tokens) and c.claimed_at < v_now - make_interval(secs => v_beat_s)))
                         for update skip locked);

  return jsonb_build_object(
    'commands', coalesce((select jsonb_agg(jsonb_build_object('token', l.token, 'command', l.command))
                            from fleet.leases as l
                           where l.session_id = p_session and l.command is not null), '[]'),
    'lost', coalesce((select jsonb_agg(t.token)
                        from unnest(p_tokens) as t (token)
                       where not exists (select from fleet.leases as l
                                          where l.session_id = p_session and l.token = t.token)), '[]'),
    'draining', (select n.draining from fleet.nodes as n where n.node_id = v_node));
end
$$;

--
-- Name: join_v1(jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.join_v1(p_declared jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_now     timestamptz := fleet.now();
  v_set     fleet.settings;
  v_node    fleet.nodes;
  v_old     fleet.sessions;
  v_beat    timestamptz;
  v_session uuid := gen_random_uuid();
  v_secret  text := encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
  v_name    text := p_declared ->> 'node';
begin
  perform set_config('synchronous_commit', 'on', true);
  select s.* into strict v_set from fleet.settings as s;
  if v_name is null or v_name !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$' then
    raise exception using errcode = 'JQ002', message = format('%s is no node name', coalesce(v_name, 'null')),
      column = 'node', hint = 'Letters, digits, dots, dashes; 127 at most.';
  end if;
  if (select count(*) from jsonb_to_recordset(p_declared -> 'devices') as d (kind text) where d.kind = 'ram') <> 1 then
    raise exception using errcode = 'JQ002', message = 'a node declares its host memory as one device of kind ram',
      column = 'devices', hint = 'Add it with idx -1.';
  end if;

  insert into fleet.nodes (node) values (v_name) on conflict (node) do nothing;
  select n.* into strict v_node from fleet.nodes as n where n.node = v_name for no key update;
  select s.* into v_old from fleet.sessions as s where s.node_id = v_node.node_id and s.ended_at is null for update;
  if found then
    select b.beat_at into v_beat from fleet.session_beats as b where b.session_id = v_old.session_id;
    if v_old.instance <> p_declared ->> 'instance' then
      if v_beat > v_now - make_interval(secs => v_set.lease_s) then
        raise exception using errcode = 'JQ004', column = 'node',
          message = format('a live machine (%s, version %s) has joined as %s', v_old.boot, v_old.version, v_name),
          hint = 'Give this machine another name, or stop the other one.';
      end if;
      -- Silent for a lease, but not reaped yet: its leases are lost as if it had been.
      perform fleet._settle(null, fleet._lost_items(array[v_old.session_id]), 'reaper');
    end if;
    update fleet.sessions as s
       set ended_at = v_now, end_reason = case when v_old.instance = p_declared ->> 'instance' then 'rejoined' else 'silent' end
     where s.session_id = v_old.session_id;
  end if;

  update fleet.nodes as n
     set facts = coalesce(p_declared -> 'labels', '{}'),
         cpu_milli = (p_declared ->> 'cpu_milli')::integer,
         disk_mib = (p_declared ->> 'disk_mib')::integer
   where n.node_id = v_node.node_id;
  delete from fleet.devices as d
   where d.node_id = v_node.node_id
     and d.idx not in (select x.idx from jsonb_to_recordset(p_declared -> 'devices') as x (idx integer));
  insert into fleet.devices as d (node_id, idx, uuid, kind, name, total_mib, headroom_mib, takes_vram)
  select v_node.node_id, x.idx, x.uuid, x.kind, x.name, x.total_mib, x.headroom_mib, x.takes_vram
    from jsonb_to_recordset(p_declared -> 'devices') as x (idx integer, uuid text, kind text, name text, total_mib integer,
                                                           headroom_mib integer, takes_vram boolean)
      on conflict (node_id, idx) do update
     set uuid = excluded.uuid, kind = excluded.kind, name = excluded.name, total_mib = excluded.total_mib,
         headroom_mib = excluded.headroom_mib, takes_vram = excluded.takes_vram,
         sample_seq = 0, free_mib = null, sampled_at = null;

  insert into fleet.sessions (session_id, node_id, instance, boot, version, kinds, slots, secret_hash, joined_at)
  select v_session, v_node.node_id, p_declared ->> 'instance', p_declared ->> 'boot', p_declared ->> 'version',
         array(select jsonb_array_elements_text(p_declared -> 'kinds')), (p_declared ->> 'slots')::integer,
         sha256(convert_to(v_secret, 'UTF8')), v_now;
  insert into fleet.session_beats (session_id, beat_at) values (v_session, v_now);
  update fleet.leases as l set session_id = v_session, unnamed = 0 where l.session_id = v_old.session_id;

  return jsonb_build_object(
    'session_id', v_session, 'secret', v_secret, 'lease_s', v_set.lease_s, 'heartbeat_s', v_set.heartbeat_s,
    'draining', v_node.draining,
    'held', coalesce((select jsonb_agg(jsonb_build_object('job_id', l.job_id, 'token', l.token) order by l.claimed_at)
                        from fleet.leases as l
                       where l.session_id = v_session), '[]'));
end
$_$;

--
-- Name: label_node_v1(text, jsonb, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.label_node_v1(p_node text, p_labels jsonb, p_pools jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if exists (select from jsonb_each(p_labels) as l (name, value) where jsonb_typeof(l.value) <> 'string') then
    raise exception using errcode = 'JQ002', message = 'labels are texts', column = 'labels', hint = 'Write {"zone": "a"}.';
  end if;
  update fleet.nodes as n
     set labels = p_labels, pools = array(select jsonb_array_elements_text(p_pools))
   where n.node = p_node;
  if not found then
    raise exception using errcode = 'JQ005', message = format('there is no node %s', p_node), column = 'node',
      hint = 'It is made when its agent joins for the first time.';
  end if;
  return 'null';
end
$$;

--
-- Name: leave_v1(uuid, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.leave_v1(p_session uuid, p_secret text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_items jsonb;
begin
  perform fleet._session(p_session, p_secret);
  perform 1 from fleet.sessions as s where s.session_id = p_session for update;
  select coalesce(jsonb_agg(jsonb_build_object('job_id', l.job_id, 'token', l.token, 'verdict', 'released',
                                               'message', 'the node left')), '[]')
    into v_items
    from fleet.leases as l
   where l.session_id = p_session;
  perform fleet._settle(p_session, v_items, 'agent');
  update fleet.sessions as s set ended_at = fleet.now(), end_reason = 'left' where s.session_id = p_session;
  delete from fleet.idle_sessions as i where i.session_id = p_session;
  return 'null';
end
$$;

--
-- Name: list_keys_v1(text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.list_keys_v1(p_project text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(jsonb_agg(fleet._key(k.key_id) order by k.created_at), '[]')
    from fleet.api_keys as k
    join fleet.projects as p on p.project_id = k.project_id
   where p_project is null or p.name = p_project
$$;

--
-- Name: make_partitions_v1(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.make_partitions_v1(p_days_ahead integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '1s'
    AS $$
declare
  v_today date := (fleet.now() at time zone 'UTC')::date;
  v_day   date;
  v_table text;
  v_made  integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('fleet.make_partitions'));
  for v_day in select generate_series(v_today, v_today + p_days_ahead, interval '1 day')::date loop
    foreach v_table in array array['attempts', 'job_events', 'logs'] loop
      if to_regclass(format('fleet.%I', v_table || to_char(v_day, '_YYYYMMDD'))) is null then
        begin
          execute format('create table fleet.%I partition of fleet.%I for values from (%L) to (%L)',
                         v_table || to_char(v_day, '_YYYYMMDD'), v_table, v_day::text || ' 00:00:00+00',
                         (v_day + 1)::text || ' 00:00:00+00');
          v_made := v_made + 1;
        exception
          when check_violation then
            null;  -- its rows are in the default partition already
          when lock_not_available then
            return to_jsonb(v_made);  -- somebody reads the history: the next round tries again
        end;
      end if;
    end loop;
  end loop;
  return to_jsonb(v_made);
end
$$;

--
-- Name: new_id(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.new_id() RETURNS uuid
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select encode(
           overlay(
             overlay(uuid_send(gen_random_uuid())
                     placing substring(int8send(t.us / 1000) from 3 for 6) from 1 for 6)
             placing substring(int8send((7::bigint << 12) | ((t.us % 1000) * 4)) from 7 for 2) from 7 for 2),
           'hex')::uuid
    from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us) as t
$$;

--
-- Name: FUNCTION new_id(); Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON FUNCTION fleet.new_id() IS 'A new job id: uuid version 7.';

--
-- Name: pause_v1(uuid, boolean, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.pause_v1(p_project uuid, p_paused boolean, p_priority text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_classes fleet.priority[];
  v_changed integer;
begin
  if p_priority is not null and p_priority not in ('low', 'normal', 'high', 'urgent') then
    raise exception using errcode = 'JQ002', message = format('there is no priority %s', p_priority), column = 'priority',
      hint = 'low, normal, high or urgent; leave it out for all.';
  end if;
  v_classes := case when p_priority is null then enum_range(null::fleet.priority) else array[p_priority::fleet.priority] end;
  update fleet.projects as p
     set paused = array(select c from unnest(enum_range(null::fleet.priority)) as c
                         where case when c = any(v_classes) then p_paused else c = any(p.paused) end)
   where p.project_id = p_project;
  perform 1 from fleet.lanes as l where l.project_id = p_project order by l.lane_id for no key update;
  update fleet.lanes as l
     set paused = p_paused
   where l.project_id = p_project
     and l.priority = any(v_classes)
     and l.paused <> p_paused;
  get diagnostics v_changed = row_count;
  return to_jsonb(v_changed);
end
$$;

--
-- Name: promote_v1(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.promote_v1(p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now  timestamptz := fleet.now();
  v_late uuid[];
  v_gone uuid[];
  v_due  uuid[];
begin
  perform set_config('synchronous_commit', 'on', true);
  v_late := array(select x.job_id from fleet.start_by as x where x.start_by <= v_now order by x.start_by limit p_limit);
  if cardinality(v_late) > 0 then
    v_late := array(select j.job_id from fleet.jobs as j where j.job_id = any(v_late) order by j.job_id
                       for no key update skip locked);
    -- One that has started once was in time, whatever became of that attempt.
    delete from fleet.start_by as x
     using fleet.jobs as j
     where x.job_id = any(v_late) and j.job_id = x.job_id and j.attempts > 0;
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
         set outcome = 'failed', cause = 'expired', ended_at = v_now,
             error = jsonb_build_object('message', format('not started by %s', j.start_by))
       where j.job_id in (select job_id from waited union all select job_id from stood)
      returning j.job_id, j.project_id
    ),
    told as (
      insert into fleet.job_events (job_id, project_id, at, event, detail)
      select e.job_id, e.project_id, v_now, 'failed', '{"cause": "expired"}' from ended as e
    )
    select array_agg(e.job_id) into v_gone from ended as e;
    delete from fleet.start_by as x where x.job_id = any(v_late);
    if v_gone is not null then
      perform fleet._fail_dependents(v_gone);
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

--
-- Name: prune_v1(integer, integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.prune_v1(p_keep_days integer, p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '1s'
    AS $_$
declare
  v_now     timestamptz := fleet.now();
  v_cutoff  timestamptz := v_now - make_interval(days => p_keep_days);
  v_part    record;
  v_parts   integer := 0;
  v_jobs    uuid[];
  v_keys    integer;
  v_session integer;
begin
  v_jobs := array(select j.job_id
                    from fleet.jobs as j
                   where j.ended_at < v_cutoff
                     and not exists (select from fleet.dependencies as d join fleet.jobs as x on x.job_id = d.job_id
                                      where d.after_job_id = j.job_id and x.outcome is null)
                   order by j.job_id
                   limit p_limit
                     for update skip locked);
  delete from fleet.artifacts as a where a.job_id = any(v_jobs);
  delete from fleet.checkpoints as c where c.job_id = any(v_jobs);
  delete from fleet.dependencies as d where d.job_id = any(v_jobs);
  delete from fleet.webhook_deliveries as w where w.job_id = any(v_jobs);
  delete from fleet.jobs as j where j.job_id = any(v_jobs);

  delete from fleet.idempotency as i
   where (i.project_id, i.key) in (select x.project_id, x.key from fleet.idempotency as x
                                    where x.created_at < v_now - interval '1 day' limit p_limit);
  get diagnostics v_keys = row_count;
  delete from fleet.session_beats as b
   using fleet.sessions as s
   where s.session_id = b.session_id and s.ended_at < v_now - interval '1 hour';
  delete from fleet.sessions as s where s.ended_at < v_cutoff;
  get diagnostics v_session = row_count;

  -- Last, since it keeps claims out (ACCESS EXCLUSIVE on the parent) until the commit that follows at once.
  for v_part in
    select c.relname
      from pg_inherits as i
      join pg_class as c on c.oid = i.inhrelid
      join pg_class as p on p.oid = i.inhparent
      join pg_namespace as n on n.oid = p.relnamespace
     where n.nspname = 'fleet'
       and p.relname in ('attempts', 'job_events', 'logs')
       and c.relname ~ '_[0-9]{8}$'
       and to_date(right(c.relname, 8), 'YYYYMMDD') < (v_cutoff at time zone 'UTC')::date
  loop
    begin
      execute format('drop table fleet.%I', v_part.relname);
      v_parts := v_parts + 1;
    exception when lock_not_available then
      exit;  -- somebody reads the history: the next round tries again
    end;
  end loop;
  return jsonb_build_object('partitions', v_parts, 'jobs', coalesce(cardinality(v_jobs), 0), 'idempotency', v_keys,
                            'sessions', v_session);
end
$_$;

--
-- Name: put_blob_v1(uuid, text, bigint, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform set_config('synchronous_commit', 'on', true);
  insert into fleet.blobs as b (project_id, sha256, size, media_type, visible)
  values (p_project, p_sha256, p_size, p_media_type, true)
      on conflict (project_id, sha256) do update set visible = true where not b.visible;
  return to_jsonb(found);
end
$$;

--
-- Name: reap_v1(integer); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.reap_v1(p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now      timestamptz := fleet.now();
  v_set      fleet.settings;
  v_reaper   fleet.reaper;
  v_lease    interval;
  v_held     text;
  v_silent   uuid[];
  v_dead     uuid[] := '{}';
  v_lost     jsonb := '[]';
  v_overdue  jsonb;
  v_unnamed  jsonb;
  v_unsaid   uuid[];
begin
  select s.* into strict v_set from fleet.settings as s;
  v_lease := make_interval(secs => v_set.lease_s);
  select r.* into v_reaper from fleet.reaper as r for update skip locked;
  if not found then
    return jsonb_build_object('sessions', 0, 'leases', 0, 'overdue', 0, 'unnamed', 0, 'held_back', 'busy');
  end if;

  if v_reaper.ran_at is null or v_reaper.ran_at < v_now - v_lease or v_reaper.ran_at < pg_postmaster_start_time() then
    v_reaper.grace_until := v_now + v_lease;
  end if;
  v_silent := array(select s.session_id
                      from fleet.sessions as s
                      join fleet.session_beats as b on b.session_id = s.session_id
                     where s.ended_at is null
                       and b.beat_at < v_now - v_lease
                     order by s.session_id);
  if cardinality(v_silent) >= v_set.alarm_min_nodes
     and cardinality(v_silent) > v_set.alarm_share * (select count(*) from fleet.sessions as s where s.ended_at is null) then
    v_reaper.alarm_since := coalesce(v_reaper.alarm_since, v_now);
    v_reaper.alarm := format('%s sessions fell silent at once: the fault is likely not theirs', cardinality(v_silent));
  else
    v_reaper.alarm_since := null;
    v_reaper.alarm := null;
  end if;
  v_held := case
              when v_reaper.grace_until > v_now then 'grace'
              when v_reaper.alarm_since > v_now - make_interval(secs => v_set.alarm_hold_s) then 'alarm'
            end;

  if v_held is null and cardinality(v_silent) > 0 then
    v_silent := v_silent[:p_limit];
    perform 1 from fleet.sessions as s where s.session_id = any(v_silent) order by s.session_id for update;
    v_dead := array(select s.session_id
                      from fleet.sessions as s
                      join fleet.session_beats as b on b.session_id = s.session_id
                     where s.session_id = any(v_silent)
                       and s.ended_at is null
                       and b.beat_at < v_now - v_lease);
    update fleet.sessions as s set ended_at = v_now, end_reason = 'silent' where s.session_id = any(v_dead);
    delete from fleet.idle_sessions as i where i.session_id = any(v_dead);
    v_lost := fleet._lost_items(v_dead);
    perform fleet._settle(null, v_lost, 'reaper');
  end if;

  select coalesce(jsonb_agg(jsonb_build_object('job_id', o.job_id, 'token', o.token, 'verdict', 'failed', 'cause', 'timeout',
           'message', 'its time limit passed a minute ago and its node did not end it')), '[]')
    into v_overdue
    from (select l.job_id, l.token
            from fleet.leases as l
           where v_held is null  -- its result may be in a spool, waiting for the database as we did
             and l.deadline < v_now - interval '60 s'
           limit p_limit) as o;
  perform fleet._settle(null, v_overdue, 'reaper');
  -- The jobs are locked first and the leases read again after: a beat may name one while we wait.
  v_unsaid := array(select l.job_id from fleet.leases as l where v_held is null and l.unnamed >= 2 limit p_limit);
  perform 1 from fleet.jobs as j where j.job_id = any(v_unsaid) order by j.job_id for no key update;
  select coalesce(jsonb_agg(jsonb_build_object('job_id', u.job_id, 'token', u.token, 'verdict', 'released',
           'message', 'its node does not know of it: the answer to its claim was lost')), '[]')
    into v_unnamed
    from (select l.job_id, l.token from fleet.leases as l where l.job_id = any(v_unsaid) and l.unnamed >= 2 for update) as u;
  perform fleet._settle(null, v_unnamed, 'reaper');

  update fleet.reaper as r
     set ran_at = v_now, grace_until = v_reaper.grace_until, alarm_since = v_reaper.alarm_since, alarm = v_reaper.alarm;
  return jsonb_build_object('sessions', cardinality(v_dead), 'leases', jsonb_array_length(v_lost),
                            'overdue', jsonb_array_length(v_overdue), 'unnamed', jsonb_array_length(v_unnamed),
                            'held_back', v_held);
end
$$;

--
-- Name: release_v1(uuid, text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.release_v1(p_session uuid, p_secret text, p_items jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform fleet._session(p_session, p_secret);
  return fleet._settle(
    p_session,
    (select jsonb_agg(jsonb_build_object('job_id', e.item -> 'job_id', 'token', e.item -> 'token', 'verdict', 'released',
                                         'message', e.item -> 'reason'))
       from jsonb_array_elements(p_items) as e (item)),
    'agent');
end
$$;

--
-- Name: report_v1(uuid, text, jsonb); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.report_v1(p_session uuid, p_secret text, p_reports jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := fleet.now();
begin
  perform set_config('synchronous_commit', 'off', true);
  perform fleet._session(p_session, p_secret);

  -- A settle waits for this, or has been and the lease is gone: no news outlives its attempt.
  perform 1
    from fleet.leases as l
   where l.session_id = p_session
     and l.token in (select r.token from jsonb_to_recordset(p_reports) as r (token uuid))
   order by l.job_id
     for key share;

  with news as (
    select distinct on (r.job_id) r.job_id, r.token, r.step, r.total, r.message, r.metrics, r.metrics_step
      from rows from (jsonb_to_recordset(p_reports) as (
             job_id uuid, token uuid, step bigint, total bigint, message text, metrics jsonb, metrics_step bigint))
           with ordinality as r (job_id, token, step, total, message, metrics, metrics_step, place)
      join fleet.leases as l on l.job_id = r.job_id and l.token = r.token and l.session_id = p_session
     order by r.job_id, r.place desc
  )
  insert into fleet.progress as g (job_id, token, step, total, message, metrics, metrics_step, at)
  select n.job_id, n.token, n.step, n.total, n.message, n.metrics, n.metrics_step, v_now
    from news as n
   order by n.job_id
      on conflict (job_id) do update
     set token = excluded.token,
         step = coalesce(excluded.step, case when g.token = excluded.token then g.step end),
         total = coalesce(excluded.total, case when g.token = excluded.token then g.total end),
         message = coalesce(excluded.message, case when g.token = excluded.token then g.message end),
         metrics = case when g.token = excluded.token
                        then coalesce(g.metrics || excluded.metrics, excluded.metrics, g.metrics)
                        else excluded.metrics end,
         metrics_step = coalesce(excluded.metrics_step, case when g.token = excluded.token then g.metrics_step end),
         log_bytes = case when g.token = excluded.token then g.log_bytes else 0 end,
         at = excluded.at;

  with chunk as (
    select l.job_id, l.project_id, l.attempt, c.stream, c.text, r.place, c.place as line, g.log_bytes, s.log_bytes as most,
           sum(octet_length(c.text)) over (partition by l.job_id order by r.place, c.place) as so_far
      from rows from (jsonb_to_recordset(p_reports) as (job_id uuid, token uuid, logs jsonb))
           with ordinality as r (job_id, token, logs, place)
      join fleet.leases as l on l.job_id = r.job_id and l.token = r.token and l.session_id = p_session
      join fleet.progress as g on g.job_id = l.job_id
      join fleet.settings as s on s.one
     cross join lateral rows from (jsonb_to_recordset(r.logs) as (stream text, text text))
           with ordinality as c (stream, text, place)
  ),
  kept as (
    insert into fleet.logs (job_id, project_id, attempt, at, stream, text)
    select c.job_id, c.project_id, c.attempt, v_now,
           case when c.log_bytes + c.so_far <= c.most then c.stream else 'agent' end,
           case when c.log_bytes + c.so_far <= c.most then c.text
                else format(E'[the log ends here: an attempt keeps %s bytes]\n', c.most) end
      from chunk as c
     where c.log_bytes + c.so_far - octet_length(c.text) <= c.most
     order by c.place, c.line
  )
  update fleet.progress as g
     set log_bytes = g.log_bytes + n.bytes
    from (select c.job_id, sum(octet_length(c.text)) as bytes from chunk as c group by c.job_id) as n
   where g.job_id = n.job_id;

  return coalesce((select jsonb_agg(r.token)
                     from jsonb_to_recordset(p_reports) as r (job_id uuid, token uuid)
                    where not exists (select from fleet.leases as l
                                       where l.job_id = r.job_id and l.token = r.token and l.session_id = p_session)), '[]');
end
$$;

--
-- Name: retry_v1(uuid, uuid[]); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.retry_v1(p_project uuid, p_jobs uuid[]) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now     timestamptz := fleet.now();
  v_bad     record;
  v_again   uuid[];
  v_free    uuid[];
begin
  perform set_config('synchronous_commit', 'on', true);
  -- These and what they wait for, which must not end unseen meanwhile, in one ascending pass.
  perform 1
    from fleet.jobs as j
   where j.project_id = p_project
     and (j.job_id = any(p_jobs)
          or j.job_id in (select d.after_job_id from fleet.dependencies as d where d.job_id = any(p_jobs)))
   order by j.job_id
     for no key update;
  select i.job_id
    into v_bad
    from unnest(p_jobs) as i (job_id)
   where not exists (select from fleet.jobs as j where j.job_id = i.job_id and j.project_id = p_project)
   limit 1;
  if found then
    raise exception using errcode = 'JQ005', message = format('there is no job %s in this project', v_bad.job_id),
      hint = 'List jobs to find its id.';
  end if;
  v_again := array(select j.job_id from fleet.jobs as j where j.job_id = any(p_jobs) and j.outcome is not null);

  select d.job_id, d.after_job_id, j.outcome
    into v_bad
    from fleet.dependencies as d
    left join fleet.jobs as j on j.job_id = d.after_job_id
   where d.job_id = any(v_again)
     and not d.satisfied
     and (j.job_id is null or j.outcome in ('failed', 'cancelled'))
     and not d.after_job_id = any(v_again)
   limit 1;
  if found then
    raise exception using errcode = 'JQ006',
      message = case when v_bad.outcome is null
                     then format('job %s waits for %s, which was pruned', v_bad.job_id, v_bad.after_job_id)
                     else format('job %s waits for %s, which has ended as %s', v_bad.job_id, v_bad.after_job_id, v_bad.outcome)
                end,
      hint = case when v_bad.outcome is null then 'Submit it anew.' else 'Retry both at once.' end;
  end if;

  -- A graph that is retried whole keeps its order, and a time to start by belongs to the first life.
  update fleet.dependencies as d
     set satisfied = false
   where d.job_id = any(v_again) and d.after_job_id = any(v_again) and d.satisfied;
  delete from fleet.start_by as x where x.job_id = any(v_again);

  update fleet.jobs as j
     set outcome = null, cause = null, error = null, result = null, ended_at = null, retries_used = 0, infra_used = 0,
         run_at = null, start_by = null
   where j.job_id = any(v_again);
  with open as (
    select i.job_id, count(d.job_id)::integer as n
      from unnest(v_again) as i (job_id)
      left join fleet.dependencies as d on d.job_id = i.job_id and not d.satisfied
     group by i.job_id
  )
  insert into fleet.waiting (job_id, waits_for, run_at)
  select o.job_id, o.n, '-infinity' from open as o where o.n > 0;
  v_free := array(select i.job_id from unnest(v_again) as i (job_id)
                   where not exists (select from fleet.waiting as w where w.job_id = i.job_id));
  perform fleet._enqueue(v_free);
  insert into fleet.job_events (job_id, project_id, at, event, detail)
  select i.job_id, p_project, v_now, 'submitted', '{"again": true}' from unnest(v_again) as i (job_id);

  return (select coalesce(jsonb_agg(jsonb_build_object(
                   'job_id', i.job_id, 'state', fleet.state_of(i.job_id),
                   'outcome', case when i.job_id = any(v_again) then 'retried' else 'not_ended' end) order by i.place), '[]')
            from unnest(p_jobs) with ordinality as i (job_id, place));
end
$$;

--
-- Name: revoke_key_v1(text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.revoke_key_v1(p_prefix text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_keys uuid[] := array(select k.key_id from fleet.api_keys as k where starts_with(k.prefix, p_prefix));
begin
  perform set_config('synchronous_commit', 'on', true);
  if cardinality(v_keys) = 0 then
    raise exception using errcode = 'JQ005', message = format('no key starts with %s', p_prefix), column = 'prefix',
      hint = 'List keys to find its prefix.';
  elsif cardinality(v_keys) > 1 then
    raise exception using errcode = 'JQ006', message = format('%s keys start with %s', cardinality(v_keys), p_prefix),
      column = 'prefix', hint = 'Give more of it.';
  end if;
  update fleet.api_keys as k set revoked_at = coalesce(k.revoked_at, fleet.now()) where k.key_id = v_keys[1];
  return fleet._key(v_keys[1]);
end
$$;

--
-- Name: state_of(uuid); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.state_of(p_job uuid) RETURNS fleet.job_state
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(
           j.outcome,
           case when exists (select from fleet.leases as l where l.job_id = j.job_id) then 'running'::fleet.job_state
                when exists (select from fleet.waiting as w where w.job_id = j.job_id) then 'waiting'::fleet.job_state
                else 'ready'::fleet.job_state end)
    from fleet.jobs as j
   where j.job_id = p_job
$$;

--
-- Name: FUNCTION state_of(p_job uuid); Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON FUNCTION fleet.state_of(p_job uuid) IS 'Where a job is.';

--
-- Name: submit_v1(uuid, jsonb, uuid, text, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.submit_v1(p_project uuid, p_jobs jsonb, p_key uuid DEFAULT NULL::uuid, p_idempotency_key text DEFAULT NULL::text, p_trace text DEFAULT NULL::text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_now     timestamptz := fleet.now();
  v_items   fleet.submission[];
  v_ids     uuid[];
  v_lanes   bigint[];
  v_waits   integer[];
  v_hash    bytea;
  v_before  fleet.idempotency;
  v_ready   uuid[];
  v_graph   boolean := p_jobs @? '$[*] ? (exists(@.after[*]) || exists(@.inputs.*))';
begin
  perform set_config('synchronous_commit', 'on', true);
  if jsonb_typeof(p_jobs) is distinct from 'array' or jsonb_array_length(p_jobs) not between 1 and 10000 then
    raise exception using errcode = 'JQ002', message = 'a submission is a list of 1 to 10,000 jobs', column = 'jobs',
      hint = 'Send fewer jobs at once.';
  end if;
  if not exists (select from fleet.projects as p where p.project_id = p_project) then
    raise exception using errcode = 'JQ005', message = format('there is no project %s', p_project);
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
      return (select jsonb_agg(jsonb_build_object('job_id', b.job_id, 'state', fleet.state_of(b.job_id),
                                                  'ref', p_jobs -> (b.place::integer - 1) ->> 'ref', 'created', false)
                               order by b.place)
                from unnest(v_before.job_ids) with ordinality as b (job_id, place));
    end if;
  end if;

  v_items := array(select s from jsonb_array_elements(p_jobs) with ordinality as e (item, place),
                          lateral jsonb_populate_record(null::fleet.submission, e.item) as s order by e.place);
  perform fleet._check_submissions(v_items);
  v_ids := array(select fleet.new_id() as id from generate_series(1, cardinality(v_items)) order by id);
  v_lanes := fleet._lanes_for(p_project, v_items);
  if v_graph then
    v_waits := fleet._depend(p_project, v_ids, v_items);
  else
    v_waits := array_fill(0, array[cardinality(v_ids)]);
  end if;

  insert into fleet.jobs (job_id, project_id, kind, name, priority, lane_id, order_key, model_key, params, inputs, tags,
                          run_at, start_by, timeout_s, retries, exclusive, webhook, key_id, trace, created_at)
  select v_ids[i.place], p_project, i.kind, i.name, coalesce(i.priority, 'normal'), v_lanes[i.place],
         (extract(epoch from v_now) * 1000000)::bigint + i.place, coalesce(i.params ->> k.model_param, ''),
         coalesce(i.params, '{}'), fleet._absolute_inputs(i.inputs, v_ids, v_items, v_graph), i.tags,
         i.run_at, i.start_by, coalesce(i.timeout_s, k.timeout_s), coalesce(i.retries, k.retries),
         coalesce(i.exclusive, false), i.webhook, p_key, p_trace, v_now
    from unnest(v_items) with ordinality
         as i (kind, params, name, ref, priority, need, inputs, after, run_at, start_by, timeout_s, retries, exclusive,
               webhook, tags, place)
    join fleet.kinds as k on k.kind = i.kind;

  insert into fleet.waiting (job_id, waits_for, run_at)
  select j.job_id, v_waits[i.place], coalesce(j.run_at, '-infinity')
    from unnest(v_ids) with ordinality as i (job_id, place)
    join fleet.jobs as j on j.job_id = i.job_id
   where v_waits[i.place] > 0 or j.run_at > v_now;

  insert into fleet.start_by (job_id, start_by)
  select j.job_id, j.start_by from fleet.jobs as j where j.job_id = any(v_ids) and j.start_by is not null;

  v_ready := array(select i.job_id from unnest(v_ids) as i (job_id)
                    where not exists (select from fleet.waiting as w where w.job_id = i.job_id));
  perform fleet._enqueue(v_ready);

  insert into fleet.job_events (job_id, project_id, at, event, detail)
  select i.job_id, p_project, v_now, 'submitted',
         jsonb_build_object('state', case when i.job_id = any(v_ready) then 'ready' else 'waiting' end)
    from unnest(v_ids) as i (job_id);

  if p_idempotency_key is not null then
    update fleet.idempotency as i set job_ids = v_ids where i.project_id = p_project and i.key = p_idempotency_key;
  end if;
  return (select jsonb_agg(jsonb_build_object('job_id', i.job_id, 'ref', v_items[i.place].ref, 'created', true,
                                              'state', case when i.job_id = any(v_ready) then 'ready' else 'waiting' end)
                           order by i.place)
            from unnest(v_ids) with ordinality as i (job_id, place));
end
$_$;

--
-- Name: wake_v1(); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.wake_v1() RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_session uuid;
  v_sent    integer := 0;
begin
  for v_session in
    delete from fleet.idle_sessions as i
     where i.session_id in (
       select d.session_id
         from fleet.idle_sessions as d
         join fleet.sessions as s on s.session_id = d.session_id and s.ended_at is null
         join fleet.nodes as o on o.node_id = s.node_id and not o.draining
        where exists (select
                        from fleet.lanes as l
                        join fleet.needs as n on n.need_id = l.need_id
                        join fleet.shapes as p on p.shape_id = n.shape_id
                       where l.active and not l.paused
                         and n.kind = any(s.kinds)
                         and (p.labels = '{}' or (o.facts || o.labels) @> p.labels)
                         and p.gpus <= (select count(*) from fleet.devices as v
                                         where v.node_id = o.node_id and v.takes_vram and v.total_mib >= p.vram_mib
                                           and (p.device = 'any' or p.device = v.kind))
                         and exists (select from fleet.ready as r where r.lane_id = l.lane_id))
        order by d.since
        limit (select count(*) from (select from fleet.ready limit 64) as r)
          for update of d skip locked)
    returning i.session_id
  loop
    perform pg_notify('fleet_' || replace(v_session::text, '-', ''), 'work');
    v_sent := v_sent + 1;
  end loop;
  return to_jsonb(v_sent);
end
$$;

--
-- Name: webhook_done_v1(bigint, boolean, text); Type: FUNCTION; Schema: fleet; Owner: -
--

CREATE FUNCTION fleet.webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text) RETURNS jsonb
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update fleet.webhook_deliveries as w
     set state  = case when p_delivered then 'delivered' when w.tries >= 8 then 'dead' else 'pending' end,
         due_at = fleet.now() + make_interval(secs => 5 * 2 ^ (w.tries - 1) * (0.75 + random() / 2)),
         detail = p_detail
   where w.delivery_id = p_delivery
     and w.state = 'pending';
  select 'null'::jsonb
$$;

--
-- Name: api_keys; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.api_keys (
    key_id uuid DEFAULT gen_random_uuid() NOT NULL,
    project_id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_scopes_check CHECK (((scopes <@ ARRAY['submit'::text, 'read'::text, 'admin'::text]) AND (cardinality(scopes) > 0)))
);

--
-- Name: TABLE api_keys; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.api_keys IS 'Keys of the REST API; the key itself is not stored.';

--
-- Name: COLUMN api_keys.key_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.key_id IS 'Key of the row.';

--
-- Name: COLUMN api_keys.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.project_id IS 'The project it speaks for.';

--
-- Name: COLUMN api_keys.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.name IS 'For people.';

--
-- Name: COLUMN api_keys.prefix; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.prefix IS 'The first, public part of the key.';

--
-- Name: COLUMN api_keys.hash; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.hash IS 'sha256 of the whole key (256 random bits, so a slow hash would add nothing).';

--
-- Name: COLUMN api_keys.scopes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.scopes IS 'submit, read, admin.';

--
-- Name: COLUMN api_keys.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.created_at IS 'When it was made.';

--
-- Name: COLUMN api_keys.revoked_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.api_keys.revoked_at IS 'Since when it is useless; null: in force.';

--
-- Name: artifacts; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.artifacts (
    job_id uuid NOT NULL,
    name text NOT NULL,
    project_id uuid NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    media_type text NOT NULL
);

--
-- Name: TABLE artifacts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.artifacts IS 'Outputs of jobs that succeeded.';

--
-- Name: COLUMN artifacts.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.job_id IS 'The job.';

--
-- Name: COLUMN artifacts.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.name IS 'The name people download it by.';

--
-- Name: COLUMN artifacts.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.project_id IS 'Its project.';

--
-- Name: COLUMN artifacts.sha256; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.sha256 IS 'Which blob.';

--
-- Name: COLUMN artifacts.size; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.size IS 'In bytes.';

--
-- Name: COLUMN artifacts.media_type; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.artifacts.media_type IS 'Its type.';

--
-- Name: attempts; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.attempts (
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    attempt integer NOT NULL,
    token uuid NOT NULL,
    session_id uuid NOT NULL,
    node_id bigint NOT NULL,
    devices integer[] NOT NULL,
    vram_mib integer NOT NULL,
    ram_mib integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    settled_by text NOT NULL,
    cause fleet.cause,
    message text,
    traceback text,
    peak_mib integer,
    progress jsonb,
    CONSTRAINT attempts_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'released'::text]))),
    CONSTRAINT attempts_settled_by_check CHECK ((settled_by = ANY (ARRAY['agent'::text, 'reaper'::text])))
)
PARTITION BY RANGE (ended_at);

--
-- Name: TABLE attempts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.attempts IS 'Every attempt that has ended.';

--
-- Name: COLUMN attempts.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.job_id IS 'The job.';

--
-- Name: COLUMN attempts.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.project_id IS 'Its project.';

--
-- Name: COLUMN attempts.attempt; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.attempt IS 'Counts from 1.';

--
-- Name: COLUMN attempts.token; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.token IS 'Its fence, by which a second settle is recognised.';

--
-- Name: COLUMN attempts.session_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.session_id IS 'Who ran it.';

--
-- Name: COLUMN attempts.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.node_id IS 'Where.';

--
-- Name: COLUMN attempts.devices; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.devices IS 'Booked devices of the node (idx).';

--
-- Name: COLUMN attempts.vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.vram_mib IS 'Booked on each of them.';

--
-- Name: COLUMN attempts.ram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.ram_mib IS 'Booked host memory.';

--
-- Name: COLUMN attempts.started_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.started_at IS 'Claimed.';

--
-- Name: COLUMN attempts.ended_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.ended_at IS 'Settled.';

--
-- Name: COLUMN attempts.outcome; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.outcome IS 'succeeded, failed, or released (handed back without blame).';

--
-- Name: COLUMN attempts.settled_by; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.settled_by IS 'The agent itself, or the reaper.';

--
-- Name: COLUMN attempts.cause; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.cause IS 'Why it failed.';

--
-- Name: COLUMN attempts.message; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.message IS 'For people.';

--
-- Name: COLUMN attempts.traceback; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.traceback IS 'Where the code failed.';

--
-- Name: COLUMN attempts.peak_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.peak_mib IS 'Largest memory in use on one device; null: not measured.';

--
-- Name: COLUMN attempts.progress; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.attempts.progress IS 'How far it got.';

--
-- Name: attempts_default; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.attempts_default (
    job_id uuid CONSTRAINT attempts_job_id_not_null NOT NULL,
    project_id uuid CONSTRAINT attempts_project_id_not_null NOT NULL,
    attempt integer CONSTRAINT attempts_attempt_not_null NOT NULL,
    token uuid CONSTRAINT attempts_token_not_null NOT NULL,
    session_id uuid CONSTRAINT attempts_session_id_not_null NOT NULL,
    node_id bigint CONSTRAINT attempts_node_id_not_null NOT NULL,
    devices integer[] CONSTRAINT attempts_devices_not_null NOT NULL,
    vram_mib integer CONSTRAINT attempts_vram_mib_not_null NOT NULL,
    ram_mib integer CONSTRAINT attempts_ram_mib_not_null NOT NULL,
    started_at timestamp with time zone CONSTRAINT attempts_started_at_not_null NOT NULL,
    ended_at timestamp with time zone CONSTRAINT attempts_ended_at_not_null NOT NULL,
    outcome text CONSTRAINT attempts_outcome_not_null NOT NULL,
    settled_by text CONSTRAINT attempts_settled_by_not_null NOT NULL,
    cause fleet.cause,
    message text,
    traceback text,
    peak_mib integer,
    progress jsonb,
    CONSTRAINT attempts_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'released'::text]))),
    CONSTRAINT attempts_settled_by_check CHECK ((settled_by = ANY (ARRAY['agent'::text, 'reaper'::text])))
);

--
-- Name: blobs; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.blobs (
    project_id uuid NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    media_type text NOT NULL,
    visible boolean NOT NULL,
    created_at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    CONSTRAINT blobs_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT blobs_size_check CHECK ((size >= 0))
);

--
-- Name: TABLE blobs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.blobs IS 'Files in the blob store.';

--
-- Name: COLUMN blobs.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.project_id IS 'Its project.';

--
-- Name: COLUMN blobs.sha256; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.sha256 IS 'Of its content, in lower-case hex.';

--
-- Name: COLUMN blobs.size; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.size IS 'In bytes.';

--
-- Name: COLUMN blobs.media_type; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.media_type IS 'As its first sender said.';

--
-- Name: COLUMN blobs.visible; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.visible IS 'False while only a running attempt knows of it.';

--
-- Name: COLUMN blobs.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.blobs.created_at IS 'First stored.';

--
-- Name: checkpoints; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.checkpoints (
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    token uuid NOT NULL,
    attempt integer NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    step bigint NOT NULL,
    at timestamp with time zone NOT NULL
);

--
-- Name: TABLE checkpoints; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.checkpoints IS 'Where an unfinished job got to: the next attempt goes on from here.';

--
-- Name: COLUMN checkpoints.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.job_id IS 'The job.';

--
-- Name: COLUMN checkpoints.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.project_id IS 'Its project.';

--
-- Name: COLUMN checkpoints.token; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.token IS 'The attempt that wrote it.';

--
-- Name: COLUMN checkpoints.attempt; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.attempt IS 'Its number.';

--
-- Name: COLUMN checkpoints.sha256; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.sha256 IS 'Which blob.';

--
-- Name: COLUMN checkpoints.size; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.size IS 'In bytes.';

--
-- Name: COLUMN checkpoints.step; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.step IS 'Steps done.';

--
-- Name: COLUMN checkpoints.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.checkpoints.at IS 'When.';

--
-- Name: dependencies; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.dependencies (
    job_id uuid NOT NULL,
    after_job_id uuid NOT NULL,
    satisfied boolean DEFAULT false NOT NULL
);

--
-- Name: TABLE dependencies; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.dependencies IS 'Which job waits for which.';

--
-- Name: COLUMN dependencies.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.dependencies.job_id IS 'Waits.';

--
-- Name: COLUMN dependencies.after_job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.dependencies.after_job_id IS 'For this one to succeed.';

--
-- Name: COLUMN dependencies.satisfied; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.dependencies.satisfied IS 'It has.';

--
-- Name: devices; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.devices (
    node_id bigint NOT NULL,
    idx integer NOT NULL,
    uuid text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    total_mib integer NOT NULL,
    headroom_mib integer NOT NULL,
    takes_vram boolean NOT NULL,
    sample_seq bigint DEFAULT 0 NOT NULL,
    free_mib integer,
    sampled_at timestamp with time zone,
    CONSTRAINT devices_headroom_mib_check CHECK ((headroom_mib >= 0)),
    CONSTRAINT devices_idx_check CHECK ((idx >= '-1'::integer)),
    CONSTRAINT devices_kind_check CHECK ((kind = ANY (ARRAY['gpu'::text, 'ram'::text]))),
    CONSTRAINT devices_total_mib_check CHECK ((total_mib >= 0)),
    CONSTRAINT host_memory_is_minus_one CHECK (((kind = 'ram'::text) = (idx = '-1'::integer)))
)
WITH (fillfactor='50');

--
-- Name: TABLE devices; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.devices IS 'GPUs, and per node one row of kind ram: the host''s memory. The rows a claim locks.';

--
-- Name: COLUMN devices.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.node_id IS 'Its node.';

--
-- Name: COLUMN devices.idx; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.idx IS 'NVML index; -1 for host memory.';

--
-- Name: COLUMN devices.uuid; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.uuid IS 'The device''s own name for itself.';

--
-- Name: COLUMN devices.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.kind IS 'gpu or ram.';

--
-- Name: COLUMN devices.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.name IS 'For people.';

--
-- Name: COLUMN devices.total_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.total_mib IS 'All its memory.';

--
-- Name: COLUMN devices.headroom_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.headroom_mib IS 'Never handed out.';

--
-- Name: COLUMN devices.takes_vram; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.takes_vram IS 'Whether vram_mib of a job may be booked here.';

--
-- Name: COLUMN devices.sample_seq; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.sample_seq IS 'Of the last sample used; an older one is refused.';

--
-- Name: COLUMN devices.free_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.free_mib IS 'Free memory in the last sample kept.';

--
-- Name: COLUMN devices.sampled_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.devices.sampled_at IS 'When that was.';

--
-- Name: event_id; Type: SEQUENCE; Schema: fleet; Owner: -
--

CREATE SEQUENCE fleet.event_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

--
-- Name: idempotency; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.idempotency (
    project_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    job_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    created_at timestamp with time zone NOT NULL
);

--
-- Name: TABLE idempotency; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.idempotency IS 'Submissions that may be repeated: the first answer again.';

--
-- Name: COLUMN idempotency.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idempotency.project_id IS 'The project.';

--
-- Name: COLUMN idempotency.key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idempotency.key IS 'The client''s Idempotency-Key.';

--
-- Name: COLUMN idempotency.request_hash; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idempotency.request_hash IS 'sha256 of what was submitted.';

--
-- Name: COLUMN idempotency.job_ids; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idempotency.job_ids IS 'The answer.';

--
-- Name: COLUMN idempotency.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idempotency.created_at IS 'Kept for a day.';

--
-- Name: idle_sessions; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.idle_sessions (
    session_id uuid NOT NULL,
    since timestamp with time zone DEFAULT fleet.now() NOT NULL
);

--
-- Name: TABLE idle_sessions; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.idle_sessions IS 'Sessions that found nothing and sleep: the ones wake may notify.';

--
-- Name: COLUMN idle_sessions.session_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idle_sessions.session_id IS 'The session.';

--
-- Name: COLUMN idle_sessions.since; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.idle_sessions.since IS 'Since when.';

--
-- Name: job_events; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.job_events (
    event_id bigint DEFAULT nextval('fleet.event_id'::regclass) NOT NULL,
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    event text NOT NULL,
    detail jsonb
)
PARTITION BY RANGE (at);

--
-- Name: TABLE job_events; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.job_events IS 'What happened to each job, in order.';

--
-- Name: COLUMN job_events.event_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.event_id IS 'Grows; within a job in the order of commits.';

--
-- Name: COLUMN job_events.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.job_id IS 'The job.';

--
-- Name: COLUMN job_events.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.project_id IS 'Its project.';

--
-- Name: COLUMN job_events.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.at IS 'When.';

--
-- Name: COLUMN job_events.event; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.event IS 'submitted, ready, claimed, released, lost, retrying, checkpoint, cancelling, succeeded, failed, cancelled.';

--
-- Name: COLUMN job_events.detail; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.job_events.detail IS 'Facts about it.';

--
-- Name: job_events_default; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.job_events_default (
    event_id bigint DEFAULT nextval('fleet.event_id'::regclass) CONSTRAINT job_events_event_id_not_null NOT NULL,
    job_id uuid CONSTRAINT job_events_job_id_not_null NOT NULL,
    project_id uuid CONSTRAINT job_events_project_id_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT job_events_at_not_null NOT NULL,
    event text CONSTRAINT job_events_event_not_null NOT NULL,
    detail jsonb
);

--
-- Name: jobs; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.jobs (
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    kind text NOT NULL,
    name text,
    priority fleet.priority NOT NULL,
    lane_id bigint NOT NULL,
    order_key bigint NOT NULL,
    model_key text NOT NULL,
    params jsonb NOT NULL,
    inputs jsonb,
    tags jsonb,
    run_at timestamp with time zone,
    start_by timestamp with time zone,
    timeout_s integer NOT NULL,
    retries integer NOT NULL,
    retries_used integer DEFAULT 0 NOT NULL,
    infra_used integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    exclusive boolean DEFAULT false NOT NULL,
    webhook text,
    key_id uuid,
    trace text,
    created_at timestamp with time zone NOT NULL,
    outcome fleet.job_state,
    cause fleet.cause,
    error jsonb,
    result jsonb,
    ended_at timestamp with time zone,
    CONSTRAINT ended_has_a_time CHECK (((outcome IS NULL) = (ended_at IS NULL))),
    CONSTRAINT jobs_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::fleet.job_state, 'failed'::fleet.job_state, 'cancelled'::fleet.job_state]))),
    CONSTRAINT success_has_no_cause CHECK (((outcome IS DISTINCT FROM 'succeeded'::fleet.job_state) OR (cause IS NULL)))
)
WITH (fillfactor='85');

--
-- Name: TABLE jobs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.jobs IS 'One row per job until retention ends it. Written at submit and at the end of attempts, never by a claim.';

--
-- Name: COLUMN jobs.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.job_id IS 'Key: a time-ordered uuid.';

--
-- Name: COLUMN jobs.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.project_id IS 'Its project.';

--
-- Name: COLUMN jobs.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.kind IS 'What code runs.';

--
-- Name: COLUMN jobs.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.name IS 'For people.';

--
-- Name: COLUMN jobs.priority; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.priority IS 'The class.';

--
-- Name: COLUMN jobs.lane_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.lane_id IS 'Where it stands, or stood, in ready.';

--
-- Name: COLUMN jobs.order_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.order_key IS 'Age within the lane: microseconds since 1970 at submit; kept over retries.';

--
-- Name: COLUMN jobs.model_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.model_key IS 'The model it uses, or empty.';

--
-- Name: COLUMN jobs.params; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.params IS 'For the kind.';

--
-- Name: COLUMN jobs.inputs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.inputs IS 'Files it reads: name to {sha256} or {job, output}.';

--
-- Name: COLUMN jobs.tags; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.tags IS 'For people: searchable.';

--
-- Name: COLUMN jobs.run_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.run_at IS 'Not before.';

--
-- Name: COLUMN jobs.start_by; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.start_by IS 'Started by then, or not at all.';

--
-- Name: COLUMN jobs.timeout_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.timeout_s IS 'Wall time of one attempt.';

--
-- Name: COLUMN jobs.retries; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.retries IS 'How many failures of its own it may retry.';

--
-- Name: COLUMN jobs.retries_used; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.retries_used IS 'How many it has.';

--
-- Name: COLUMN jobs.infra_used; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.infra_used IS 'Retries that infrastructure cost; capped by settings.max_infra_retries.';

--
-- Name: COLUMN jobs.attempts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.attempts IS 'Attempts that have ended.';

--
-- Name: COLUMN jobs.exclusive; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.exclusive IS 'Its runner dies before its lease does.';

--
-- Name: COLUMN jobs.webhook; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.webhook IS 'Called when it has ended.';

--
-- Name: COLUMN jobs.key_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.key_id IS 'The API key that submitted it.';

--
-- Name: COLUMN jobs.trace; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.trace IS 'W3C traceparent of the submission.';

--
-- Name: COLUMN jobs.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.created_at IS 'Submitted.';

--
-- Name: COLUMN jobs.outcome; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.outcome IS 'How it ended; null while it is waiting, ready or running.';

--
-- Name: COLUMN jobs.cause; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.cause IS 'Why it did not succeed.';

--
-- Name: COLUMN jobs.error; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.error IS 'Of the last failed attempt: {message, traceback}.';

--
-- Name: COLUMN jobs.result; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.result IS 'The small answer of a success.';

--
-- Name: COLUMN jobs.ended_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.jobs.ended_at IS 'When it ended.';

--
-- Name: kinds; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.kinds (
    kind text NOT NULL,
    description text NOT NULL,
    gpus integer NOT NULL,
    vram_mib integer NOT NULL,
    cpu_milli integer NOT NULL,
    ram_mib integer NOT NULL,
    disk_mib integer NOT NULL,
    device text NOT NULL,
    timeout_s integer NOT NULL,
    retries integer NOT NULL,
    model_param text,
    CONSTRAINT kinds_cpu_milli_check CHECK ((cpu_milli >= 0)),
    CONSTRAINT kinds_device_check CHECK ((device = ANY (ARRAY['any'::text, 'gpu'::text, 'ram'::text]))),
    CONSTRAINT kinds_disk_mib_check CHECK ((disk_mib >= 0)),
    CONSTRAINT kinds_gpus_check CHECK (((gpus >= 0) AND (gpus <= 64))),
    CONSTRAINT kinds_kind_check CHECK ((kind ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'::text)),
    CONSTRAINT kinds_ram_mib_check CHECK ((ram_mib >= 0)),
    CONSTRAINT kinds_retries_check CHECK ((retries >= 0)),
    CONSTRAINT kinds_timeout_s_check CHECK ((timeout_s > 0)),
    CONSTRAINT kinds_vram_mib_check CHECK ((vram_mib >= 0))
);

--
-- Name: TABLE kinds; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.kinds IS 'What code can run, and what it needs when the job does not say.';

--
-- Name: COLUMN kinds.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.kind IS 'Its name, for example diffusion.generate.';

--
-- Name: COLUMN kinds.description; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.description IS 'For people.';

--
-- Name: COLUMN kinds.gpus; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.gpus IS 'Devices, all of one node.';

--
-- Name: COLUMN kinds.vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.vram_mib IS 'Memory on each device.';

--
-- Name: COLUMN kinds.cpu_milli; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.cpu_milli IS 'CPU, in thousandths of a core.';

--
-- Name: COLUMN kinds.ram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.ram_mib IS 'Host memory, on top of any device that is host memory.';

--
-- Name: COLUMN kinds.disk_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.disk_mib IS 'Scratch space.';

--
-- Name: COLUMN kinds.device; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.device IS 'any also takes the host memory of a machine without a GPU.';

--
-- Name: COLUMN kinds.timeout_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.timeout_s IS 'Wall time of one attempt.';

--
-- Name: COLUMN kinds.retries; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.retries IS 'Retries of failures that are the job''s own.';

--
-- Name: COLUMN kinds.model_param; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.kinds.model_param IS 'The parameter that names the model, if any: what stays warm on a node.';

--
-- Name: lanes; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.lanes (
    lane_id bigint NOT NULL,
    project_id uuid NOT NULL,
    priority fleet.priority NOT NULL,
    need_id bigint NOT NULL,
    active boolean DEFAULT false NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    rank double precision DEFAULT 0 NOT NULL
);

--
-- Name: TABLE lanes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.lanes IS 'Project x priority x need: what a claim looks through, instead of backlogs.';

--
-- Name: COLUMN lanes.lane_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.lane_id IS 'Key.';

--
-- Name: COLUMN lanes.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.project_id IS 'The project.';

--
-- Name: COLUMN lanes.priority; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.priority IS 'The class.';

--
-- Name: COLUMN lanes.need_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.need_id IS 'The need.';

--
-- Name: COLUMN lanes.active; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.active IS 'May have ready jobs. False only while it certainly has none.';

--
-- Name: COLUMN lanes.paused; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.paused IS 'Nothing is claimed from it.';

--
-- Name: COLUMN lanes.rank; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.lanes.rank IS 'Fair share: the smaller goes first within a class.';

--
-- Name: lanes_lane_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.lanes ALTER COLUMN lane_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.lanes_lane_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: leases; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.leases (
    job_id uuid NOT NULL,
    token uuid NOT NULL,
    session_id uuid NOT NULL,
    node_id bigint NOT NULL,
    project_id uuid NOT NULL,
    request_id uuid NOT NULL,
    attempt integer NOT NULL,
    devices integer[] NOT NULL,
    vram_mib integer NOT NULL,
    ram_mib integer NOT NULL,
    cpu_milli integer NOT NULL,
    disk_mib integer NOT NULL,
    claimed_at timestamp with time zone NOT NULL,
    deadline timestamp with time zone NOT NULL,
    command fleet.lease_command,
    unnamed integer DEFAULT 0 NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE leases; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.leases IS 'Jobs that are running: one row per attempt, with what is booked for it.';

--
-- Name: COLUMN leases.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.job_id IS 'The job: it cannot be leased twice.';

--
-- Name: COLUMN leases.token; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.token IS 'The fence: new and random at every claim; every write about the attempt must name it (I2).';

--
-- Name: COLUMN leases.session_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.session_id IS 'Who runs it.';

--
-- Name: COLUMN leases.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.node_id IS 'Where.';

--
-- Name: COLUMN leases.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.project_id IS 'Whose it is.';

--
-- Name: COLUMN leases.request_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.request_id IS 'The claim that took it: the same claim again gets the same answer.';

--
-- Name: COLUMN leases.attempt; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.attempt IS 'Counts from 1; for people, never a fence.';

--
-- Name: COLUMN leases.devices; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.devices IS 'Booked devices of the node (idx).';

--
-- Name: COLUMN leases.vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.vram_mib IS 'Booked on each of them.';

--
-- Name: COLUMN leases.ram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.ram_mib IS 'Booked host memory.';

--
-- Name: COLUMN leases.cpu_milli; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.cpu_milli IS 'Booked CPU.';

--
-- Name: COLUMN leases.disk_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.disk_mib IS 'Booked scratch space.';

--
-- Name: COLUMN leases.claimed_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.claimed_at IS 'Start of the attempt.';

--
-- Name: COLUMN leases.deadline; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.deadline IS 'End of its time limit: finds what is stuck, as heartbeats find what is dead.';

--
-- Name: COLUMN leases.command; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.command IS 'What the next heartbeat asks.';

--
-- Name: COLUMN leases.unnamed; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.leases.unnamed IS 'Heartbeats in a row that did not name it: from two on it is released (I14).';

--
-- Name: log_id; Type: SEQUENCE; Schema: fleet; Owner: -
--

CREATE SEQUENCE fleet.log_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

--
-- Name: logs; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.logs (
    log_id bigint DEFAULT nextval('fleet.log_id'::regclass) NOT NULL,
    job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    attempt integer NOT NULL,
    at timestamp with time zone NOT NULL,
    stream text NOT NULL,
    text text NOT NULL
)
PARTITION BY RANGE (at);

--
-- Name: TABLE logs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.logs IS 'What attempts printed, in chunks of whole lines.';

--
-- Name: COLUMN logs.log_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.log_id IS 'Grows; within an attempt in order.';

--
-- Name: COLUMN logs.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.job_id IS 'The job.';

--
-- Name: COLUMN logs.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.project_id IS 'Its project.';

--
-- Name: COLUMN logs.attempt; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.attempt IS 'The attempt.';

--
-- Name: COLUMN logs.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.at IS 'When it arrived.';

--
-- Name: COLUMN logs.stream; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.stream IS 'stdout, stderr, or agent.';

--
-- Name: COLUMN logs.text; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.logs.text IS 'Whole lines.';

--
-- Name: logs_default; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.logs_default (
    log_id bigint DEFAULT nextval('fleet.log_id'::regclass) CONSTRAINT logs_log_id_not_null NOT NULL,
    job_id uuid CONSTRAINT logs_job_id_not_null NOT NULL,
    project_id uuid CONSTRAINT logs_project_id_not_null NOT NULL,
    attempt integer CONSTRAINT logs_attempt_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT logs_at_not_null NOT NULL,
    stream text CONSTRAINT logs_stream_not_null NOT NULL,
    text text CONSTRAINT logs_text_not_null NOT NULL
);

--
-- Name: needs; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.needs (
    need_id bigint NOT NULL,
    project_id uuid NOT NULL,
    kind text NOT NULL,
    model_key text NOT NULL,
    declared_shape_id bigint NOT NULL,
    shape_id bigint NOT NULL
);

--
-- Name: TABLE needs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.needs IS 'What a (project, kind, model) with one declared need needs now; learning moves a whole backlog by one update.';

--
-- Name: COLUMN needs.need_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.need_id IS 'Key.';

--
-- Name: COLUMN needs.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.project_id IS 'The project.';

--
-- Name: COLUMN needs.kind; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.kind IS 'The kind.';

--
-- Name: COLUMN needs.model_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.model_key IS 'The model, or empty.';

--
-- Name: COLUMN needs.declared_shape_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.declared_shape_id IS 'What was asked for.';

--
-- Name: COLUMN needs.shape_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.needs.shape_id IS 'What is booked now.';

--
-- Name: needs_need_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.needs ALTER COLUMN need_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.needs_need_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: node_health; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.node_health (
    node_id bigint NOT NULL,
    failing uuid[] DEFAULT '{}'::uuid[] NOT NULL
);

--
-- Name: TABLE node_health; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.node_health IS 'Jobs that failed on a node in a row, without a success between (I8).';

--
-- Name: COLUMN node_health.node_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.node_health.node_id IS 'The node.';

--
-- Name: COLUMN node_health.failing; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.node_health.failing IS 'Different jobs; from three on the node gets one job at a time.';

--
-- Name: nodes_node_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.nodes ALTER COLUMN node_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.nodes_node_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: progress; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.progress (
    job_id uuid NOT NULL,
    token uuid NOT NULL,
    step bigint,
    total bigint,
    message text,
    metrics jsonb,
    metrics_step bigint,
    log_bytes bigint DEFAULT 0 NOT NULL,
    at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

--
-- Name: TABLE progress; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.progress IS 'How far running attempts are; the row goes with the attempt.';

--
-- Name: COLUMN progress.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.job_id IS 'The job.';

--
-- Name: COLUMN progress.token; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.token IS 'The attempt.';

--
-- Name: COLUMN progress.step; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.step IS 'Steps done.';

--
-- Name: COLUMN progress.total; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.total IS 'Steps to do, if known.';

--
-- Name: COLUMN progress.message; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.message IS 'For people.';

--
-- Name: COLUMN progress.metrics; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.metrics IS 'Latest value of each metric.';

--
-- Name: COLUMN progress.metrics_step; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.metrics_step IS 'At this step.';

--
-- Name: COLUMN progress.log_bytes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.log_bytes IS 'Log text kept so far.';

--
-- Name: COLUMN progress.at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.progress.at IS 'When it was said.';

--
-- Name: projects; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.projects (
    project_id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    weight double precision DEFAULT 1 NOT NULL,
    trusted_pools text[],
    paused fleet.priority[] DEFAULT '{}'::fleet.priority[] NOT NULL,
    webhook_secret text NOT NULL,
    created_at timestamp with time zone DEFAULT fleet.now() NOT NULL,
    CONSTRAINT projects_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'::text)),
    CONSTRAINT projects_weight_check CHECK ((weight > (0)::double precision))
);

--
-- Name: TABLE projects; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.projects IS 'Tenants: every job, file and key belongs to one.';

--
-- Name: COLUMN projects.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.project_id IS 'Key.';

--
-- Name: COLUMN projects.name; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.name IS 'What people call it.';

--
-- Name: COLUMN projects.weight; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.weight IS 'Its share of the fleet, relative to the others.';

--
-- Name: COLUMN projects.trusted_pools; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.trusted_pools IS 'Its jobs run only on nodes of these pools; null: anywhere.';

--
-- Name: COLUMN projects.paused; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.paused IS 'Classes from which nothing is claimed.';

--
-- Name: COLUMN projects.webhook_secret; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.webhook_secret IS 'Signs webhooks (Standard Webhooks, whsec_...).';

--
-- Name: COLUMN projects.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.projects.created_at IS 'When it was made.';

--
-- Name: ready; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.ready (
    lane_id bigint NOT NULL,
    order_key bigint NOT NULL,
    job_id uuid NOT NULL,
    model_key text NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0');

--
-- Name: TABLE ready; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.ready IS 'Jobs that could start now. A claim deletes from here.';

--
-- Name: COLUMN ready.lane_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.ready.lane_id IS 'The lane.';

--
-- Name: COLUMN ready.order_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.ready.order_key IS 'Age within the lane.';

--
-- Name: COLUMN ready.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.ready.job_id IS 'The job.';

--
-- Name: COLUMN ready.model_key; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.ready.model_key IS 'The model it uses: a warm one may pull it forward.';

--
-- Name: reaper; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.reaper (
    one boolean DEFAULT true NOT NULL,
    ran_at timestamp with time zone,
    grace_until timestamp with time zone,
    alarm_since timestamp with time zone,
    alarm text,
    CONSTRAINT reaper_one_check CHECK (one)
);

--
-- Name: TABLE reaper; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.reaper IS 'One row: when the reaper last ran, and why it holds back (I6).';

--
-- Name: COLUMN reaper.one; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reaper.one IS 'Always true.';

--
-- Name: COLUMN reaper.ran_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reaper.ran_at IS 'Last run.';

--
-- Name: COLUMN reaper.grace_until; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reaper.grace_until IS 'After an absence of its own or of the database: nothing is reaped before.';

--
-- Name: COLUMN reaper.alarm_since; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reaper.alarm_since IS 'Since when too much of the fleet is silent; null: all is well.';

--
-- Name: COLUMN reaper.alarm; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.reaper.alarm IS 'For people.';

--
-- Name: retry_policies; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.retry_policies (
    cause fleet.cause NOT NULL,
    charged text NOT NULL,
    retried boolean NOT NULL,
    base_s double precision NOT NULL,
    max_s double precision NOT NULL,
    CONSTRAINT retry_policies_base_s_check CHECK ((base_s >= (0)::double precision)),
    CONSTRAINT retry_policies_charged_check CHECK ((charged = ANY (ARRAY['user'::text, 'infrastructure'::text, 'nobody'::text]))),
    CONSTRAINT retry_policies_check CHECK ((max_s >= base_s))
);

--
-- Name: TABLE retry_policies; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.retry_policies IS 'What happens after an attempt failed, by cause (I8).';

--
-- Name: COLUMN retry_policies.cause; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.retry_policies.cause IS 'Why it failed.';

--
-- Name: COLUMN retry_policies.charged; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.retry_policies.charged IS 'Whose retries it uses up.';

--
-- Name: COLUMN retry_policies.retried; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.retry_policies.retried IS 'False: the job ends at once.';

--
-- Name: COLUMN retry_policies.base_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.retry_policies.base_s IS 'Pause before the first retry; doubles each time, with jitter.';

--
-- Name: COLUMN retry_policies.max_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.retry_policies.max_s IS 'Longest pause.';

--
-- Name: session_beats; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.session_beats (
    session_id uuid NOT NULL,
    beat_at timestamp with time zone NOT NULL
)
WITH (fillfactor='20', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');

--
-- Name: TABLE session_beats; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.session_beats IS 'The last heartbeat of each live session, and nothing else.';

--
-- Name: COLUMN session_beats.session_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.session_beats.session_id IS 'The session.';

--
-- Name: COLUMN session_beats.beat_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.session_beats.beat_at IS 'Last heartbeat.';

--
-- Name: settings; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.settings (
    one boolean DEFAULT true NOT NULL,
    lease_s double precision DEFAULT 30 NOT NULL,
    heartbeat_s double precision DEFAULT 10 NOT NULL,
    max_infra_retries integer DEFAULT 10 NOT NULL,
    alarm_share double precision DEFAULT 0.2 NOT NULL,
    alarm_min_nodes integer DEFAULT 5 NOT NULL,
    alarm_hold_s double precision DEFAULT 300 NOT NULL,
    log_bytes bigint DEFAULT 4194304 NOT NULL,
    CONSTRAINT settings_alarm_hold_s_check CHECK (((alarm_hold_s >= (0)::double precision) AND (alarm_hold_s <= (86400)::double precision))),
    CONSTRAINT settings_alarm_min_nodes_check CHECK ((alarm_min_nodes >= 1)),
    CONSTRAINT settings_alarm_share_check CHECK (((alarm_share >= (0)::double precision) AND (alarm_share <= (1)::double precision))),
    CONSTRAINT settings_heartbeat_s_check CHECK (((heartbeat_s >= (0.1)::double precision) AND (heartbeat_s <= (86400)::double precision))),
    CONSTRAINT settings_lease_s_check CHECK (((lease_s >= (1)::double precision) AND (lease_s <= (86400)::double precision))),
    CONSTRAINT settings_log_bytes_check CHECK ((log_bytes >= 0)),
    CONSTRAINT settings_max_infra_retries_check CHECK ((max_infra_retries >= 0)),
    CONSTRAINT settings_one_check CHECK (one),
    CONSTRAINT three_beats_a_lease CHECK (((heartbeat_s * (3)::double precision) <= lease_s))
);

--
-- Name: TABLE settings; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.settings IS 'One row: what the whole fleet agrees on.';

--
-- Name: COLUMN settings.one; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.one IS 'Always true: there is one row.';

--
-- Name: COLUMN settings.lease_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.lease_s IS 'Seconds of silence after which a session has lost its leases.';

--
-- Name: COLUMN settings.heartbeat_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.heartbeat_s IS 'Seconds between two heartbeats; a third of lease_s at most, so that two may be lost.';

--
-- Name: COLUMN settings.max_infra_retries; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.max_infra_retries IS 'How often infrastructure may fail one job before it ends (I8).';

--
-- Name: COLUMN settings.alarm_share; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.alarm_share IS 'When more than this share of the live nodes falls silent at once, the reaper stops (I6).';

--
-- Name: COLUMN settings.alarm_min_nodes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.alarm_min_nodes IS 'Fewer silent nodes than this never raise the alarm.';

--
-- Name: COLUMN settings.alarm_hold_s; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.alarm_hold_s IS 'After this long under alarm the reaper goes on: the nodes are really gone.';

--
-- Name: COLUMN settings.log_bytes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.settings.log_bytes IS 'Most log text kept per attempt.';

--
-- Name: shapes; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.shapes (
    shape_id bigint NOT NULL,
    gpus integer NOT NULL,
    vram_mib integer NOT NULL,
    cpu_milli integer NOT NULL,
    ram_mib integer NOT NULL,
    disk_mib integer NOT NULL,
    device text NOT NULL,
    labels jsonb NOT NULL
);

--
-- Name: TABLE shapes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.shapes IS 'Distinct sets of requirements.';

--
-- Name: COLUMN shapes.shape_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.shape_id IS 'Key.';

--
-- Name: COLUMN shapes.gpus; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.gpus IS 'Devices, all of one node.';

--
-- Name: COLUMN shapes.vram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.vram_mib IS 'Memory on each device.';

--
-- Name: COLUMN shapes.cpu_milli; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.cpu_milli IS 'CPU, in thousandths of a core.';

--
-- Name: COLUMN shapes.ram_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.ram_mib IS 'Host memory.';

--
-- Name: COLUMN shapes.disk_mib; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.disk_mib IS 'Scratch space.';

--
-- Name: COLUMN shapes.device; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.device IS 'any, gpu or ram.';

--
-- Name: COLUMN shapes.labels; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.shapes.labels IS 'The node must carry all of them.';

--
-- Name: shapes_shape_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.shapes ALTER COLUMN shape_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.shapes_shape_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: start_by; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.start_by (
    job_id uuid NOT NULL,
    start_by timestamp with time zone NOT NULL
);

--
-- Name: TABLE start_by; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.start_by IS 'Jobs that end unless started in time; the row goes when its time comes.';

--
-- Name: COLUMN start_by.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.start_by.job_id IS 'The job.';

--
-- Name: COLUMN start_by.start_by; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.start_by.start_by IS 'The time.';

--
-- Name: v_artifacts; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_artifacts AS
 SELECT job_id,
    project_id,
    name,
    sha256,
    size,
    media_type
   FROM fleet.artifacts a;

--
-- Name: VIEW v_artifacts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_artifacts IS 'Outputs of jobs that succeeded.';

--
-- Name: v_attempts; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_attempts AS
 SELECT a.job_id,
    a.project_id,
    a.attempt,
    n.node,
    a.devices,
    a.vram_mib,
    a.started_at,
    a.ended_at,
    a.outcome,
    (a.cause)::text AS cause,
    a.message,
    a.traceback,
    a.peak_mib
   FROM (fleet.attempts a
     JOIN fleet.nodes n ON ((n.node_id = a.node_id)))
UNION ALL
 SELECT l.job_id,
    l.project_id,
    l.attempt,
    n.node,
    l.devices,
    l.vram_mib,
    l.claimed_at AS started_at,
    NULL::timestamp with time zone AS ended_at,
    'running'::text AS outcome,
    NULL::text AS cause,
    NULL::text AS message,
    NULL::text AS traceback,
    NULL::integer AS peak_mib
   FROM (fleet.leases l
     JOIN fleet.nodes n ON ((n.node_id = l.node_id)));

--
-- Name: VIEW v_attempts; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_attempts IS 'Every attempt of every job, the running one included.';

--
-- Name: v_blobs; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_blobs AS
 SELECT project_id,
    sha256,
    size,
    media_type,
    created_at
   FROM fleet.blobs b
  WHERE visible;

--
-- Name: VIEW v_blobs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_blobs IS 'Files that may be downloaded.';

--
-- Name: v_devices; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_devices AS
 SELECT n.node,
    d.idx,
    d.kind,
    d.name,
    d.uuid,
    d.total_mib,
    d.free_mib,
    d.sampled_at,
    ( SELECT (COALESCE(sum((
                CASE
                    WHEN (d.idx = ANY (l.devices)) THEN l.vram_mib
                    ELSE 0
                END +
                CASE
                    WHEN (d.kind = 'ram'::text) THEN l.ram_mib
                    ELSE 0
                END)), (0)::bigint))::integer AS "coalesce"
           FROM fleet.leases l
          WHERE (l.session_id = s.session_id)) AS booked_mib
   FROM ((fleet.devices d
     JOIN fleet.nodes n ON ((n.node_id = d.node_id)))
     LEFT JOIN fleet.sessions s ON (((s.node_id = d.node_id) AND (s.ended_at IS NULL))));

--
-- Name: VIEW v_devices; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_devices IS 'GPUs and host memory: total, free in the last sample, booked.';

--
-- Name: v_events; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_events AS
 SELECT event_id,
    job_id,
    project_id,
    at,
    event,
    detail
   FROM fleet.job_events e;

--
-- Name: VIEW v_events; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_events IS 'What happened to each job; order by event_id.';

--
-- Name: v_failures; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_failures AS
 SELECT j.ended_at,
    j.job_id,
    p.name AS project,
    j.kind,
    j.name,
    (j.cause)::text AS cause,
    (j.error ->> 'message'::text) AS message,
    j.attempts,
    n.node AS last_node
   FROM (((fleet.jobs j
     JOIN fleet.projects p ON ((p.project_id = j.project_id)))
     LEFT JOIN LATERAL ( SELECT a_1.node_id
           FROM fleet.attempts a_1
          WHERE ((a_1.job_id = j.job_id) AND (a_1.attempt = j.attempts))
         LIMIT 1) a ON (true))
     LEFT JOIN fleet.nodes n ON ((n.node_id = a.node_id)))
  WHERE (j.outcome = 'failed'::fleet.job_state);

--
-- Name: VIEW v_failures; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_failures IS 'Jobs that failed, and why; order by ended_at desc.';

--
-- Name: waiting; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.waiting (
    job_id uuid NOT NULL,
    waits_for integer NOT NULL,
    run_at timestamp with time zone NOT NULL,
    CONSTRAINT waiting_waits_for_check CHECK ((waits_for >= 0))
);

--
-- Name: TABLE waiting; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.waiting IS 'Jobs that wait for other jobs, for a time, or for the end of a backoff.';

--
-- Name: COLUMN waiting.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.waiting.job_id IS 'The job.';

--
-- Name: COLUMN waiting.waits_for; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.waiting.waits_for IS 'How many jobs it still waits for.';

--
-- Name: COLUMN waiting.run_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.waiting.run_at IS 'Not before; -infinity if any time will do.';

--
-- Name: v_jobs; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_jobs AS
 SELECT j.job_id,
    j.project_id,
    p.name AS project,
    j.kind,
    j.name,
    (j.priority)::text AS priority,
        CASE
            WHEN (j.outcome IS NOT NULL) THEN (j.outcome)::text
            WHEN (l.job_id IS NOT NULL) THEN 'running'::text
            WHEN (w.job_id IS NOT NULL) THEN 'waiting'::text
            ELSE 'ready'::text
        END AS state,
    (j.cause)::text AS cause,
    j.error,
    j.params,
    jsonb_build_object('gpus', s.gpus, 'vram_mib', s.vram_mib, 'cpu_milli', s.cpu_milli, 'ram_mib', s.ram_mib, 'disk_mib', s.disk_mib, 'device', s.device, 'labels', s.labels) AS need,
    COALESCE(j.inputs, '{}'::jsonb) AS inputs,
    COALESCE(j.tags, '{}'::jsonb) AS tags,
    ARRAY( SELECT d.after_job_id
           FROM fleet.dependencies d
          WHERE (d.job_id = j.job_id)
          ORDER BY d.after_job_id) AS after,
    COALESCE(w.waits_for, 0) AS waits_for,
    COALESCE(NULLIF(w.run_at, '-infinity'::timestamp with time zone), j.run_at) AS run_at,
    j.start_by,
    j.timeout_s,
    j.retries,
    j.retries_used,
    j.infra_used AS infra_retries,
    COALESCE(l.attempt, j.attempts) AS attempts,
    j.created_at,
    COALESCE(l.claimed_at, a.started_at) AS started_at,
    j.ended_at,
    COALESCE(n.node, an.node) AS node,
    COALESCE(l.devices, a.devices) AS devices,
        CASE
            WHEN (num_nonnulls(g.step, g.message, g.metrics) > 0) THEN jsonb_build_object('step', g.step, 'total', g.total, 'message', g.message, 'metrics', g.metrics, 'metrics_step', g.metrics_step, 'at', g.at)
            ELSE a.progress
        END AS progress,
    j.result,
    j.webhook,
    j.exclusive,
    COALESCE((l.command = 'cancel'::fleet.lease_command), false) AS cancel_requested
   FROM ((((((((((fleet.jobs j
     JOIN fleet.projects p ON ((p.project_id = j.project_id)))
     JOIN fleet.lanes x ON ((x.lane_id = j.lane_id)))
     JOIN fleet.needs e ON ((e.need_id = x.need_id)))
     JOIN fleet.shapes s ON ((s.shape_id = e.shape_id)))
     LEFT JOIN fleet.leases l ON ((l.job_id = j.job_id)))
     LEFT JOIN fleet.nodes n ON ((n.node_id = l.node_id)))
     LEFT JOIN fleet.waiting w ON ((w.job_id = j.job_id)))
     LEFT JOIN fleet.progress g ON ((g.job_id = j.job_id)))
     LEFT JOIN LATERAL ( SELECT a_1.job_id,
            a_1.project_id,
            a_1.attempt,
            a_1.token,
            a_1.session_id,
            a_1.node_id,
            a_1.devices,
            a_1.vram_mib,
            a_1.ram_mib,
            a_1.started_at,
            a_1.ended_at,
            a_1.outcome,
            a_1.settled_by,
            a_1.cause,
            a_1.message,
            a_1.traceback,
            a_1.peak_mib,
            a_1.progress
           FROM fleet.attempts a_1
          WHERE ((a_1.job_id = j.job_id) AND (a_1.attempt = j.attempts))
         LIMIT 1) a ON ((l.job_id IS NULL)))
     LEFT JOIN fleet.nodes an ON ((an.node_id = a.node_id)));

--
-- Name: VIEW v_jobs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_jobs IS 'Every job, with where it is and how far.';

--
-- Name: v_logs; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_logs AS
 SELECT log_id,
    job_id,
    project_id,
    attempt,
    at,
    stream,
    text
   FROM fleet.logs g;

--
-- Name: VIEW v_logs; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_logs IS 'What attempts printed; order by log_id.';

--
-- Name: v_nodes; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_nodes AS
 SELECT n.node,
        CASE
            WHEN (s.session_id IS NULL) THEN 'gone'::text
            WHEN (b.beat_at < (fleet.now() - make_interval(secs => t.lease_s))) THEN 'silent'::text
            WHEN n.draining THEN 'draining'::text
            ELSE 'live'::text
        END AS state,
    n.draining,
    (n.facts || n.labels) AS labels,
    n.pools,
    COALESCE(s.kinds, '{}'::text[]) AS kinds,
    s.version,
    s.slots,
    ( SELECT (count(*))::integer AS count
           FROM fleet.leases l
          WHERE (l.session_id = s.session_id)) AS running,
    n.cpu_milli,
    n.disk_mib,
    s.joined_at,
    b.beat_at,
    COALESCE(( SELECT jsonb_agg(jsonb_build_object('idx', d.idx, 'kind', d.kind, 'name', d.name, 'uuid', d.uuid, 'total_mib', d.total_mib, 'free_mib', d.free_mib, 'booked_mib', d.booked_mib) ORDER BY (d.idx = '-1'::integer), d.idx) AS jsonb_agg
           FROM fleet.v_devices d
          WHERE (d.node = n.node)), '[]'::jsonb) AS devices
   FROM (((fleet.nodes n
     CROSS JOIN fleet.settings t)
     LEFT JOIN fleet.sessions s ON (((s.node_id = n.node_id) AND (s.ended_at IS NULL))))
     LEFT JOIN fleet.session_beats b ON ((b.session_id = s.session_id)));

--
-- Name: VIEW v_nodes; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_nodes IS 'Every host that ever joined, with its devices.';

--
-- Name: v_queue; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_queue AS
 SELECT p.name AS project,
    (l.priority)::text AS priority,
    n.kind,
    NULLIF(n.model_key, ''::text) AS model,
    s.gpus,
    s.vram_mib,
    s.cpu_milli,
    s.ram_mib,
    l.paused,
    r.ready,
    date_trunc('second'::text, (fleet.now() - to_timestamp((((r.oldest)::numeric / 1000000.0))::double precision))) AS oldest
   FROM ((((fleet.lanes l
     JOIN fleet.projects p ON ((p.project_id = l.project_id)))
     JOIN fleet.needs n ON ((n.need_id = l.need_id)))
     JOIN fleet.shapes s ON ((s.shape_id = n.shape_id)))
     JOIN ( SELECT r_1.lane_id,
            count(*) AS ready,
            min(r_1.order_key) AS oldest
           FROM fleet.ready r_1
          GROUP BY r_1.lane_id) r ON ((r.lane_id = l.lane_id)))
  ORDER BY l.priority DESC, l.rank, r.oldest;

--
-- Name: VIEW v_queue; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_queue IS 'What is ready, by lane, in the order of claims.';

--
-- Name: v_reaper; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_reaper AS
 SELECT ran_at,
    grace_until,
    alarm_since,
    alarm
   FROM fleet.reaper r;

--
-- Name: VIEW v_reaper; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_reaper IS 'When the reaper last ran and why it holds back, if it does.';

--
-- Name: v_running; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_running AS
 SELECT l.job_id,
    p.name AS project,
    j.kind,
    j.name,
    n.node,
    l.devices,
    l.vram_mib,
    l.ram_mib,
    l.attempt,
    date_trunc('second'::text, (fleet.now() - l.claimed_at)) AS running_for,
    g.step,
    g.total,
    g.message,
    date_trunc('second'::text, (l.deadline - fleet.now())) AS time_left,
    (l.command)::text AS command
   FROM ((((fleet.leases l
     JOIN fleet.jobs j ON ((j.job_id = l.job_id)))
     JOIN fleet.projects p ON ((p.project_id = j.project_id)))
     JOIN fleet.nodes n ON ((n.node_id = l.node_id)))
     LEFT JOIN fleet.progress g ON ((g.job_id = l.job_id)));

--
-- Name: VIEW v_running; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_running IS 'What runs, where, for how long, and how far it is.';

--
-- Name: v_waiting; Type: VIEW; Schema: fleet; Owner: -
--

CREATE VIEW fleet.v_waiting AS
 SELECT j.job_id,
    p.name AS project,
    j.kind,
    j.name,
    w.waits_for,
    NULLIF(w.run_at, '-infinity'::timestamp with time zone) AS run_at,
    ARRAY( SELECT d.after_job_id
           FROM fleet.dependencies d
          WHERE ((d.job_id = j.job_id) AND (NOT d.satisfied))) AS after
   FROM ((fleet.waiting w
     JOIN fleet.jobs j ON ((j.job_id = w.job_id)))
     JOIN fleet.projects p ON ((p.project_id = j.project_id)));

--
-- Name: VIEW v_waiting; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON VIEW fleet.v_waiting IS 'Jobs that wait for jobs or for a time.';

--
-- Name: webhook_deliveries; Type: TABLE; Schema: fleet; Owner: -
--

CREATE TABLE fleet.webhook_deliveries (
    delivery_id bigint NOT NULL,
    project_id uuid NOT NULL,
    job_id uuid NOT NULL,
    url text NOT NULL,
    body jsonb NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone NOT NULL,
    detail text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'dead'::text])))
);

--
-- Name: TABLE webhook_deliveries; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON TABLE fleet.webhook_deliveries IS 'Calls to make, written in the commit that ended the job.';

--
-- Name: COLUMN webhook_deliveries.delivery_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.delivery_id IS 'Key; the receiver sees it as webhook-id.';

--
-- Name: COLUMN webhook_deliveries.project_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.project_id IS 'Whose secret signs it.';

--
-- Name: COLUMN webhook_deliveries.job_id; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.job_id IS 'The job that ended.';

--
-- Name: COLUMN webhook_deliveries.url; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.url IS 'Where to.';

--
-- Name: COLUMN webhook_deliveries.body; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.body IS 'What is sent.';

--
-- Name: COLUMN webhook_deliveries.state; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.state IS 'pending, delivered, or dead after eight tries.';

--
-- Name: COLUMN webhook_deliveries.tries; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.tries IS 'So far.';

--
-- Name: COLUMN webhook_deliveries.due_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.due_at IS 'Next try.';

--
-- Name: COLUMN webhook_deliveries.detail; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.detail IS 'Of the last try.';

--
-- Name: COLUMN webhook_deliveries.created_at; Type: COMMENT; Schema: fleet; Owner: -
--

COMMENT ON COLUMN fleet.webhook_deliveries.created_at IS 'When the job ended.';

--
-- Name: webhook_deliveries_delivery_id_seq; Type: SEQUENCE; Schema: fleet; Owner: -
--

ALTER TABLE fleet.webhook_deliveries ALTER COLUMN delivery_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME fleet.webhook_deliveries_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: attempts_default; Type: TABLE ATTACH; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.attempts ATTACH PARTITION fleet.attempts_default DEFAULT;

--
-- Name: job_events_default; Type: TABLE ATTACH; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.job_events ATTACH PARTITION fleet.job_events_default DEFAULT;

--
-- Name: logs_default; Type: TABLE ATTACH; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.logs ATTACH PARTITION fleet.logs_default DEFAULT;

--
-- Name: api_keys api_keys_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (key_id);

--
-- Name: api_keys api_keys_prefix_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.api_keys
    ADD CONSTRAINT api_keys_prefix_key UNIQUE (prefix);

--
-- Name: artifacts artifacts_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.artifacts
    ADD CONSTRAINT artifacts_pkey PRIMARY KEY (job_id, name);

--
-- Name: blobs blobs_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (project_id, sha256);

--
-- Name: checkpoints checkpoints_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (job_id);

--
-- Name: dependencies dependencies_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.dependencies
    ADD CONSTRAINT dependencies_pkey PRIMARY KEY (job_id, after_job_id);

--
-- Name: devices devices_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (node_id, idx);

--
-- Name: idempotency idempotency_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (project_id, key);

--
-- Name: idle_sessions idle_sessions_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.idle_sessions
    ADD CONSTRAINT idle_sessions_pkey PRIMARY KEY (session_id);

--
-- Name: jobs jobs_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (job_id);

--
-- Name: kinds kinds_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.kinds
    ADD CONSTRAINT kinds_pkey PRIMARY KEY (kind);

--
-- Name: lanes lanes_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.lanes
    ADD CONSTRAINT lanes_pkey PRIMARY KEY (lane_id);

--
-- Name: lanes lanes_project_id_priority_need_id_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.lanes
    ADD CONSTRAINT lanes_project_id_priority_need_id_key UNIQUE (project_id, priority, need_id);

--
-- Name: leases leases_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (job_id);

--
-- Name: needs needs_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_pkey PRIMARY KEY (need_id);

--
-- Name: needs needs_project_id_kind_model_key_declared_shape_id_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_project_id_kind_model_key_declared_shape_id_key UNIQUE (project_id, kind, model_key, declared_shape_id);

--
-- Name: node_health node_health_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.node_health
    ADD CONSTRAINT node_health_pkey PRIMARY KEY (node_id);

--
-- Name: nodes nodes_node_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.nodes
    ADD CONSTRAINT nodes_node_key UNIQUE (node);

--
-- Name: nodes nodes_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.nodes
    ADD CONSTRAINT nodes_pkey PRIMARY KEY (node_id);

--
-- Name: progress progress_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (job_id);

--
-- Name: projects projects_name_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.projects
    ADD CONSTRAINT projects_name_key UNIQUE (name);

--
-- Name: projects projects_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (project_id);

--
-- Name: ready ready_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.ready
    ADD CONSTRAINT ready_pkey PRIMARY KEY (lane_id, order_key, job_id);

--
-- Name: reaper reaper_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.reaper
    ADD CONSTRAINT reaper_pkey PRIMARY KEY (one);

--
-- Name: retry_policies retry_policies_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.retry_policies
    ADD CONSTRAINT retry_policies_pkey PRIMARY KEY (cause);

--
-- Name: session_beats session_beats_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.session_beats
    ADD CONSTRAINT session_beats_pkey PRIMARY KEY (session_id);

--
-- Name: sessions sessions_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (session_id);

--
-- Name: settings settings_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (one);

--
-- Name: shapes shapes_gpus_vram_mib_cpu_milli_ram_mib_disk_mib_device_labe_key; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.shapes
    ADD CONSTRAINT shapes_gpus_vram_mib_cpu_milli_ram_mib_disk_mib_device_labe_key UNIQUE (gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, labels);

--
-- Name: shapes shapes_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.shapes
    ADD CONSTRAINT shapes_pkey PRIMARY KEY (shape_id);

--
-- Name: start_by start_by_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.start_by
    ADD CONSTRAINT start_by_pkey PRIMARY KEY (job_id);

--
-- Name: waiting waiting_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.waiting
    ADD CONSTRAINT waiting_pkey PRIMARY KEY (job_id);

--
-- Name: webhook_deliveries webhook_deliveries_pkey; Type: CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (delivery_id);

--
-- Name: artifacts_by_blob; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX artifacts_by_blob ON fleet.artifacts USING btree (project_id, sha256);

--
-- Name: attempts_by_job; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX attempts_by_job ON ONLY fleet.attempts USING btree (job_id, attempt);

--
-- Name: attempts_default_job_id_attempt_idx; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX attempts_default_job_id_attempt_idx ON fleet.attempts_default USING btree (job_id, attempt);

--
-- Name: dependencies_by_after; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX dependencies_by_after ON fleet.dependencies USING btree (after_job_id);

--
-- Name: idempotency_by_age; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX idempotency_by_age ON fleet.idempotency USING btree (created_at);

--
-- Name: job_events_by_job; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX job_events_by_job ON ONLY fleet.job_events USING btree (job_id, event_id);

--
-- Name: job_events_default_job_id_event_id_idx; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX job_events_default_job_id_event_id_idx ON fleet.job_events_default USING btree (job_id, event_id);

--
-- Name: jobs_by_project; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX jobs_by_project ON fleet.jobs USING btree (project_id, job_id);

--
-- Name: lanes_active; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX lanes_active ON fleet.lanes USING btree (priority DESC, rank) WHERE (active AND (NOT paused));

--
-- Name: leases_by_session; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX leases_by_session ON fleet.leases USING btree (session_id);

--
-- Name: logs_by_job; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX logs_by_job ON ONLY fleet.logs USING btree (job_id, log_id);

--
-- Name: logs_default_job_id_log_id_idx; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX logs_default_job_id_log_id_idx ON fleet.logs_default USING btree (job_id, log_id);

--
-- Name: sessions_one_live_per_node; Type: INDEX; Schema: fleet; Owner: -
--

CREATE UNIQUE INDEX sessions_one_live_per_node ON fleet.sessions USING btree (node_id) WHERE (ended_at IS NULL);

--
-- Name: start_by_due; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX start_by_due ON fleet.start_by USING btree (start_by);

--
-- Name: waiting_due; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX waiting_due ON fleet.waiting USING btree (run_at) WHERE (waits_for = 0);

--
-- Name: webhook_deliveries_due; Type: INDEX; Schema: fleet; Owner: -
--

CREATE INDEX webhook_deliveries_due ON fleet.webhook_deliveries USING btree (due_at) WHERE (state = 'pending'::text);

--
-- Name: attempts_default_job_id_attempt_idx; Type: INDEX ATTACH; Schema: fleet; Owner: -
--

ALTER INDEX fleet.attempts_by_job ATTACH PARTITION fleet.attempts_default_job_id_attempt_idx;

--
-- Name: job_events_default_job_id_event_id_idx; Type: INDEX ATTACH; Schema: fleet; Owner: -
--

ALTER INDEX fleet.job_events_by_job ATTACH PARTITION fleet.job_events_default_job_id_event_id_idx;

--
-- Name: logs_default_job_id_log_id_idx; Type: INDEX ATTACH; Schema: fleet; Owner: -
--

ALTER INDEX fleet.logs_by_job ATTACH PARTITION fleet.logs_default_job_id_log_id_idx;

--
-- Name: api_keys api_keys_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.api_keys
    ADD CONSTRAINT api_keys_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: devices devices_node_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.devices
    ADD CONSTRAINT devices_node_id_fkey FOREIGN KEY (node_id) REFERENCES fleet.nodes(node_id);

--
-- Name: lanes lanes_need_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.lanes
    ADD CONSTRAINT lanes_need_id_fkey FOREIGN KEY (need_id) REFERENCES fleet.needs(need_id);

--
-- Name: lanes lanes_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.lanes
    ADD CONSTRAINT lanes_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: needs needs_declared_shape_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_declared_shape_id_fkey FOREIGN KEY (declared_shape_id) REFERENCES fleet.shapes(shape_id);

--
-- Name: needs needs_kind_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_kind_fkey FOREIGN KEY (kind) REFERENCES fleet.kinds(kind);

--
-- Name: needs needs_project_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_project_id_fkey FOREIGN KEY (project_id) REFERENCES fleet.projects(project_id);

--
-- Name: needs needs_shape_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.needs
    ADD CONSTRAINT needs_shape_id_fkey FOREIGN KEY (shape_id) REFERENCES fleet.shapes(shape_id);

--
-- Name: node_health node_health_node_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.node_health
    ADD CONSTRAINT node_health_node_id_fkey FOREIGN KEY (node_id) REFERENCES fleet.nodes(node_id);

--
-- Name: sessions sessions_node_id_fkey; Type: FK CONSTRAINT; Schema: fleet; Owner: -
--

ALTER TABLE ONLY fleet.sessions
    ADD CONSTRAINT sessions_node_id_fkey FOREIGN KEY (node_id) REFERENCES fleet.nodes(node_id);

--
-- Name: SCHEMA fleet; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA fleet TO fleet_exec;
GRANT USAGE ON SCHEMA fleet TO fleet_agent;
GRANT USAGE ON SCHEMA fleet TO fleet_api;
GRANT USAGE ON SCHEMA fleet TO fleet_scheduler;
GRANT USAGE ON SCHEMA fleet TO fleet_admin;
GRANT USAGE ON SCHEMA fleet TO fleet_reader;

--
-- Name: FUNCTION _absolute_inputs(p_inputs jsonb, p_ids uuid[], p_items fleet.submission[], p_graph boolean); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._absolute_inputs(p_inputs jsonb, p_ids uuid[], p_items fleet.submission[], p_graph boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._absolute_inputs(p_inputs jsonb, p_ids uuid[], p_items fleet.submission[], p_graph boolean) TO fleet_owner;

--
-- Name: FUNCTION _announce(p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._announce(p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._announce(p_jobs uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _book(p_room fleet.room, p_places integer[], p_vram_mib integer, p_cpu_milli integer, p_ram_mib integer, p_disk_mib integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._book(p_room fleet.room, p_places integer[], p_vram_mib integer, p_cpu_milli integer, p_ram_mib integer, p_disk_mib integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._book(p_room fleet.room, p_places integer[], p_vram_mib integer, p_cpu_milli integer, p_ram_mib integer, p_disk_mib integer) TO fleet_owner;

--
-- Name: FUNCTION _check_submissions(p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._check_submissions(p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._check_submissions(p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _claimed(p_session uuid, p_request uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._claimed(p_session uuid, p_request uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._claimed(p_session uuid, p_request uuid) TO fleet_owner;

--
-- Name: FUNCTION _depend(p_project uuid, p_ids uuid[], p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._depend(p_project uuid, p_ids uuid[], p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._depend(p_project uuid, p_ids uuid[], p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _enqueue(p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._enqueue(p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._enqueue(p_jobs uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _fail_dependents(p_ended uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._fail_dependents(p_ended uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._fail_dependents(p_ended uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _idx(p_room fleet.room, p_places integer[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._idx(p_room fleet.room, p_places integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._idx(p_room fleet.room, p_places integer[]) TO fleet_owner;

--
-- Name: FUNCTION _judge_node(p_session uuid, p_jobs uuid[], p_now timestamp with time zone); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._judge_node(p_session uuid, p_jobs uuid[], p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._judge_node(p_session uuid, p_jobs uuid[], p_now timestamp with time zone) TO fleet_owner;

--
-- Name: FUNCTION _key(p_key uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._key(p_key uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._key(p_key uuid) TO fleet_owner;

--
-- Name: FUNCTION _lanes_for(p_project uuid, p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._lanes_for(p_project uuid, p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._lanes_for(p_project uuid, p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _lost_items(p_sessions uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._lost_items(p_sessions uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._lost_items(p_sessions uuid[]) TO fleet_owner;

--
-- Name: FUNCTION now(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.now() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.now() TO fleet_owner;
GRANT ALL ON FUNCTION fleet.now() TO fleet_reader;

--
-- Name: TABLE nodes; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.nodes TO fleet_exec;

--
-- Name: TABLE sessions; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.sessions TO fleet_exec;

--
-- Name: FUNCTION _measure(p_session fleet.sessions, p_node fleet.nodes, p_sample jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._measure(p_session fleet.sessions, p_node fleet.nodes, p_sample jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._measure(p_session fleet.sessions, p_node fleet.nodes, p_sample jsonb) TO fleet_owner;

--
-- Name: FUNCTION _place(p_room fleet.room, p_gpus integer, p_vram_mib integer, p_cpu_milli integer, p_ram_mib integer, p_disk_mib integer, p_device text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._place(p_room fleet.room, p_gpus integer, p_vram_mib integer, p_cpu_milli integer, p_ram_mib integer, p_disk_mib integer, p_device text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._place(p_room fleet.room, p_gpus integer, p_vram_mib integer, p_cpu_milli integer, p_ram_mib integer, p_disk_mib integer, p_device text) TO fleet_owner;

--
-- Name: FUNCTION _publish(p_succeeded uuid[], p_items jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._publish(p_succeeded uuid[], p_items jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._publish(p_succeeded uuid[], p_items jsonb) TO fleet_owner;

--
-- Name: FUNCTION _resolved_inputs(p_project uuid, p_inputs jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._resolved_inputs(p_project uuid, p_inputs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._resolved_inputs(p_project uuid, p_inputs jsonb) TO fleet_owner;

--
-- Name: FUNCTION _retire_lanes(p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._retire_lanes(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._retire_lanes(p_limit integer) TO fleet_owner;

--
-- Name: FUNCTION _session(p_session uuid, p_secret text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._session(p_session uuid, p_secret text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._session(p_session uuid, p_secret text) TO fleet_owner;

--
-- Name: FUNCTION _settle(p_session uuid, p_items jsonb, p_by text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._settle(p_session uuid, p_items jsonb, p_by text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._settle(p_session uuid, p_items jsonb, p_by text) TO fleet_owner;

--
-- Name: FUNCTION _unblock(p_succeeded uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._unblock(p_succeeded uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._unblock(p_succeeded uuid[]) TO fleet_owner;

--
-- Name: FUNCTION _wanted(p_items fleet.submission[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._wanted(p_items fleet.submission[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._wanted(p_items fleet.submission[]) TO fleet_owner;

--
-- Name: FUNCTION _with(p_items jsonb, p_fields jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet._with(p_items jsonb, p_fields jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet._with(p_items jsonb, p_fields jsonb) TO fleet_owner;

--
-- Name: FUNCTION authenticate_v1(p_key text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.authenticate_v1(p_key text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.authenticate_v1(p_key text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.authenticate_v1(p_key text) TO fleet_api;

--
-- Name: FUNCTION cancel_v1(p_project uuid, p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.cancel_v1(p_project uuid, p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.cancel_v1(p_project uuid, p_jobs uuid[]) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.cancel_v1(p_project uuid, p_jobs uuid[]) TO fleet_api;

--
-- Name: FUNCTION checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint, p_step bigint); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint, p_step bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint, p_step bigint) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.checkpoint_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_size bigint, p_step bigint) TO fleet_agent;

--
-- Name: FUNCTION claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer, p_waiting boolean); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer, p_waiting boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer, p_waiting boolean) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer, p_waiting boolean) TO fleet_agent;

--
-- Name: FUNCTION complete_v1(p_session uuid, p_secret text, p_items jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.complete_v1(p_session uuid, p_secret text, p_items jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.complete_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.complete_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_agent;

--
-- Name: FUNCTION configure_v1(p_settings jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.configure_v1(p_settings jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.configure_v1(p_settings jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.configure_v1(p_settings jsonb) TO fleet_admin;

--
-- Name: FUNCTION create_key_v1(p_project text, p_name text, p_scopes jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.create_key_v1(p_project text, p_name text, p_scopes jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.create_key_v1(p_project text, p_name text, p_scopes jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.create_key_v1(p_project text, p_name text, p_scopes jsonb) TO fleet_admin;

--
-- Name: FUNCTION drain_v1(p_node text, p_on boolean); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.drain_v1(p_node text, p_on boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.drain_v1(p_node text, p_on boolean) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.drain_v1(p_node text, p_on boolean) TO fleet_api;
GRANT ALL ON FUNCTION fleet.drain_v1(p_node text, p_on boolean) TO fleet_admin;

--
-- Name: FUNCTION due_webhooks_v1(p_limit integer, p_hold_s double precision); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.due_webhooks_v1(p_limit integer, p_hold_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.due_webhooks_v1(p_limit integer, p_hold_s double precision) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.due_webhooks_v1(p_limit integer, p_hold_s double precision) TO fleet_scheduler;

--
-- Name: FUNCTION fail_v1(p_session uuid, p_secret text, p_items jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.fail_v1(p_session uuid, p_secret text, p_items jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.fail_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.fail_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_agent;

--
-- Name: FUNCTION grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean, p_size bigint, p_media_type text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean, p_size bigint, p_media_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean, p_size bigint, p_media_type text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.grant_v1(p_session uuid, p_secret text, p_job uuid, p_token uuid, p_sha256 text, p_write boolean, p_size bigint, p_media_type text) TO fleet_api;

--
-- Name: FUNCTION heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[]) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.heartbeat_v1(p_session uuid, p_secret text, p_tokens uuid[]) TO fleet_agent;

--
-- Name: FUNCTION join_v1(p_declared jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.join_v1(p_declared jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.join_v1(p_declared jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.join_v1(p_declared jsonb) TO fleet_agent;

--
-- Name: FUNCTION label_node_v1(p_node text, p_labels jsonb, p_pools jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.label_node_v1(p_node text, p_labels jsonb, p_pools jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.label_node_v1(p_node text, p_labels jsonb, p_pools jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.label_node_v1(p_node text, p_labels jsonb, p_pools jsonb) TO fleet_admin;

--
-- Name: FUNCTION leave_v1(p_session uuid, p_secret text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.leave_v1(p_session uuid, p_secret text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.leave_v1(p_session uuid, p_secret text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.leave_v1(p_session uuid, p_secret text) TO fleet_agent;

--
-- Name: FUNCTION list_keys_v1(p_project text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.list_keys_v1(p_project text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.list_keys_v1(p_project text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.list_keys_v1(p_project text) TO fleet_admin;

--
-- Name: FUNCTION make_partitions_v1(p_days_ahead integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.make_partitions_v1(p_days_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.make_partitions_v1(p_days_ahead integer) TO fleet_scheduler;

--
-- Name: FUNCTION new_id(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.new_id() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.new_id() TO fleet_owner;

--
-- Name: FUNCTION pause_v1(p_project uuid, p_paused boolean, p_priority text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.pause_v1(p_project uuid, p_paused boolean, p_priority text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.pause_v1(p_project uuid, p_paused boolean, p_priority text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.pause_v1(p_project uuid, p_paused boolean, p_priority text) TO fleet_api;

--
-- Name: FUNCTION promote_v1(p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.promote_v1(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.promote_v1(p_limit integer) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.promote_v1(p_limit integer) TO fleet_scheduler;

--
-- Name: FUNCTION prune_v1(p_keep_days integer, p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.prune_v1(p_keep_days integer, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.prune_v1(p_keep_days integer, p_limit integer) TO fleet_scheduler;

--
-- Name: FUNCTION put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.put_blob_v1(p_project uuid, p_sha256 text, p_size bigint, p_media_type text) TO fleet_api;

--
-- Name: FUNCTION reap_v1(p_limit integer); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.reap_v1(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.reap_v1(p_limit integer) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.reap_v1(p_limit integer) TO fleet_scheduler;

--
-- Name: FUNCTION release_v1(p_session uuid, p_secret text, p_items jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.release_v1(p_session uuid, p_secret text, p_items jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.release_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.release_v1(p_session uuid, p_secret text, p_items jsonb) TO fleet_agent;

--
-- Name: FUNCTION report_v1(p_session uuid, p_secret text, p_reports jsonb); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.report_v1(p_session uuid, p_secret text, p_reports jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.report_v1(p_session uuid, p_secret text, p_reports jsonb) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.report_v1(p_session uuid, p_secret text, p_reports jsonb) TO fleet_agent;

--
-- Name: FUNCTION retry_v1(p_project uuid, p_jobs uuid[]); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.retry_v1(p_project uuid, p_jobs uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.retry_v1(p_project uuid, p_jobs uuid[]) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.retry_v1(p_project uuid, p_jobs uuid[]) TO fleet_api;

--
-- Name: FUNCTION revoke_key_v1(p_prefix text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.revoke_key_v1(p_prefix text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.revoke_key_v1(p_prefix text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.revoke_key_v1(p_prefix text) TO fleet_admin;

--
-- Name: FUNCTION state_of(p_job uuid); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.state_of(p_job uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.state_of(p_job uuid) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.state_of(p_job uuid) TO fleet_reader;

--
-- Name: FUNCTION submit_v1(p_project uuid, p_jobs jsonb, p_key uuid, p_idempotency_key text, p_trace text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.submit_v1(p_project uuid, p_jobs jsonb, p_key uuid, p_idempotency_key text, p_trace text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.submit_v1(p_project uuid, p_jobs jsonb, p_key uuid, p_idempotency_key text, p_trace text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.submit_v1(p_project uuid, p_jobs jsonb, p_key uuid, p_idempotency_key text, p_trace text) TO fleet_api;

--
-- Name: FUNCTION wake_v1(); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.wake_v1() FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.wake_v1() TO fleet_owner;
GRANT ALL ON FUNCTION fleet.wake_v1() TO fleet_agent;
GRANT ALL ON FUNCTION fleet.wake_v1() TO fleet_api;
GRANT ALL ON FUNCTION fleet.wake_v1() TO fleet_scheduler;

--
-- Name: FUNCTION webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text); Type: ACL; Schema: fleet; Owner: -
--

REVOKE ALL ON FUNCTION fleet.webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text) FROM PUBLIC;
GRANT ALL ON FUNCTION fleet.webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text) TO fleet_owner;
GRANT ALL ON FUNCTION fleet.webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text) TO fleet_scheduler;

--
-- Name: TABLE api_keys; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.api_keys TO fleet_exec;

--
-- Name: TABLE artifacts; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.artifacts TO fleet_exec;

--
-- Name: TABLE attempts; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.attempts TO fleet_exec;

--
-- Name: TABLE attempts_default; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.attempts_default TO fleet_exec;

--
-- Name: TABLE blobs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.blobs TO fleet_exec;

--
-- Name: TABLE checkpoints; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.checkpoints TO fleet_exec;

--
-- Name: TABLE dependencies; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.dependencies TO fleet_exec;

--
-- Name: TABLE devices; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.devices TO fleet_exec;

--
-- Name: SEQUENCE event_id; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.event_id TO fleet_exec;

--
-- Name: TABLE idempotency; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.idempotency TO fleet_exec;

--
-- Name: TABLE idle_sessions; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.idle_sessions TO fleet_exec;

--
-- Name: TABLE job_events; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.job_events TO fleet_exec;

--
-- Name: TABLE job_events_default; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.job_events_default TO fleet_exec;

--
-- Name: TABLE jobs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.jobs TO fleet_exec;

--
-- Name: TABLE kinds; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.kinds TO fleet_exec;

--
-- Name: TABLE lanes; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.lanes TO fleet_exec;

--
-- Name: SEQUENCE lanes_lane_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.lanes_lane_id_seq TO fleet_exec;

--
-- Name: TABLE leases; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.leases TO fleet_exec;

--
-- Name: SEQUENCE log_id; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.log_id TO fleet_exec;

--
-- Name: TABLE logs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.logs TO fleet_exec;

--
-- Name: TABLE logs_default; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.logs_default TO fleet_exec;

--
-- Name: TABLE needs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.needs TO fleet_exec;

--
-- Name: SEQUENCE needs_need_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.needs_need_id_seq TO fleet_exec;

--
-- Name: TABLE node_health; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.node_health TO fleet_exec;

--
-- Name: SEQUENCE nodes_node_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.nodes_node_id_seq TO fleet_exec;

--
-- Name: TABLE progress; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.progress TO fleet_exec;

--
-- Name: TABLE projects; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.projects TO fleet_exec;

--
-- Name: TABLE ready; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.ready TO fleet_exec;

--
-- Name: TABLE reaper; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.reaper TO fleet_exec;

--
-- Name: TABLE retry_policies; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.retry_policies TO fleet_exec;

--
-- Name: TABLE session_beats; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.session_beats TO fleet_exec;

--
-- Name: TABLE settings; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.settings TO fleet_exec;

--
-- Name: TABLE shapes; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.shapes TO fleet_exec;

--
-- Name: SEQUENCE shapes_shape_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.shapes_shape_id_seq TO fleet_exec;

--
-- Name: TABLE start_by; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.start_by TO fleet_exec;

--
-- Name: TABLE v_artifacts; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_artifacts TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_artifacts TO fleet_reader;

--
-- Name: TABLE v_attempts; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_attempts TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_attempts TO fleet_reader;

--
-- Name: TABLE v_blobs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_blobs TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_blobs TO fleet_reader;

--
-- Name: TABLE v_devices; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_devices TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_devices TO fleet_reader;

--
-- Name: TABLE v_events; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_events TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_events TO fleet_reader;

--
-- Name: TABLE v_failures; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_failures TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_failures TO fleet_reader;

--
-- Name: TABLE waiting; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.waiting TO fleet_exec;

--
-- Name: TABLE v_jobs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_jobs TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_jobs TO fleet_reader;

--
-- Name: TABLE v_logs; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_logs TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_logs TO fleet_reader;

--
-- Name: TABLE v_nodes; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_nodes TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_nodes TO fleet_reader;

--
-- Name: TABLE v_queue; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_queue TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_queue TO fleet_reader;

--
-- Name: TABLE v_reaper; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_reaper TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_reaper TO fleet_reader;

--
-- Name: TABLE v_running; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_running TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_running TO fleet_reader;

--
-- Name: TABLE v_waiting; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.v_waiting TO fleet_exec;
GRANT SELECT ON TABLE fleet.v_waiting TO fleet_reader;

--
-- Name: TABLE webhook_deliveries; Type: ACL; Schema: fleet; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE fleet.webhook_deliveries TO fleet_exec;

--
-- Name: SEQUENCE webhook_deliveries_delivery_id_seq; Type: ACL; Schema: fleet; Owner: -
--

GRANT USAGE ON SEQUENCE fleet.webhook_deliveries_delivery_id_seq TO fleet_exec;

--
-- PostgreSQL database dump complete
--
