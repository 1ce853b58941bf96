-- why_v1: why has this job not started, and what is the smallest change that would start it now?
--
-- Caller   fleet_api
-- Returns  {job_id, state, causes: [{cause, message, change}], node, proved, ahead}
-- Locks    the turn of rehearsals; nothing of the fleet
-- Errors   JQ005 not_found
--
-- A change is a verb with its arguments. All of them together start the job; that was tried: they are made on the stage,
-- and the node claims there (`proved`). When it still gets others first, they are before it: cause `behind`, with the
-- lowest class that would put it in front, if there is one.
create function fleet.why_v1(p_project uuid, p_job uuid)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_job    fleet.jobs;
  v_state  fleet.job_state;
  v_causes jsonb;
  v_place  record;
  v_tried  record;
  v_proved boolean;
  v_class  fleet.priority;
begin
  select j.* into v_job from fleet.jobs as j where j.job_id = p_job and (p_project is null or j.project_id = p_project);
  if not found then
    raise exception using errcode = 'JQ005', message = format('there is no job %s in this project', p_job),
      hint = 'List jobs to find its id.';
  end if;
  perform from fleet.turns as t where t.name = 'rehearse' for update;
  perform rehearsal._set_stage(fleet.now(), 20000, array[p_job]);
  select j.* into v_job from rehearsal.jobs as j where j.job_id = p_job;
  if v_job.outcome is not null or not found or exists (select from rehearsal.leases as l where l.job_id = p_job) then
    v_state := fleet.state_of(p_job);
    return jsonb_build_object('job_id', p_job, 'state', v_state, 'causes', '[]'::jsonb, 'proved', true);
  end if;
  v_state := rehearsal.state_of(p_job);

  select m.* into v_place from rehearsal._best_node(p_job) as m;
  v_causes := rehearsal._holds(p_job, v_place.causes) || v_place.causes;
  v_tried := rehearsal._try(v_job, v_causes, v_place.session_id, null);
  -- What is refused is no change; its cause is true without.
  if v_tried.refused is not null then
    v_causes := (select jsonb_agg(case when c.one -> 'change' = v_tried.refused then c.one - 'change' else c.one end
                                  order by c.place)
                   from jsonb_array_elements(v_causes) with ordinality as c (one, place));
  end if;
  v_proved := p_job = any(v_tried.given);
  -- Where nothing but time helps, there is nothing to try.
  if not v_proved and not v_causes @? '$[*] ? (!exists(@.change))' then
    foreach v_class in array enum_range(v_job.priority, null) loop
      continue when v_class = v_job.priority;
      if p_job = any((rehearsal._try(v_job, v_causes, v_place.session_id, v_class)).given) then
        v_proved := true;
        exit;
      end if;
    end loop;
    v_causes := v_causes || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
      'cause', 'behind',
      'message', case when v_proved then format('other work goes first; in class %s it would start', v_class)
                      else 'other work goes first, whatever its class' end,
      'change', case when v_proved then jsonb_build_object('verb', 'amend', 'job', p_job, 'fields',
                                                           jsonb_build_object('priority', v_class)) end)));
  end if;
  return jsonb_build_object(
    'job_id', p_job, 'state', v_state, 'causes', v_causes, 'proved', v_proved, 'node', v_place.node,
    'ahead', (select count(*) from rehearsal.ready as r
               where r.lane_id = v_job.lane_id and r.order_key < v_job.order_key));
end
$$;

-- _holds: what keeps a job from being claimed by any node at all.
--
-- p_misfits causes on the node that lacks least: when it is to shrink there, its project's quota must only hold the rest of it
create function rehearsal._holds(p_job uuid, p_misfits jsonb)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with job as (
    select j.*, l.paused, p.name as project, p.paused as classes, n.kind as of_kind, t.halted, t.halt_reason, k.quarantined,
           k.quarantine_reason, w.run_at as not_before, w.waits_for, s.gpus * s.vram_mib::bigint as wants_mib,
           coalesce((m.shrunk ->> 'gpus')::integer, s.gpus) * coalesce((m.shrunk ->> 'vram_mib')::bigint, s.vram_mib) as shrunk_mib
      from rehearsal.jobs as j
      join rehearsal.lanes as l on l.lane_id = j.lane_id
      join rehearsal.needs as n on n.need_id = l.need_id
      join rehearsal.shapes as s on s.shape_id = l.shape_id
      join rehearsal.projects as p on p.project_id = j.project_id
      join rehearsal.kinds as k on k.kind = n.kind
      join rehearsal.settings as t on t.one
      left join rehearsal.waiting as w on w.job_id = j.job_id
     cross join (select jsonb_path_query_first(p_misfits, '$[*].change.fields.need') as shrunk) as m
     where j.job_id = p_job
  ),
  cap as (
    select k.*, c.running as runs, c.vram_mib as booked,
           case when k.running > c.running then format(', keeps a place for its job %s', c.kept_job) end as keeps
      from job as j
     cross join lateral rehearsal._cap_now(j.project_id) as c
     cross join lateral rehearsal._cap_for(c, j.priority, j.order_key) as k
     where c.project_id is not null
  ),
  hold (place, cause, message, change) as (
    select 1, 'dependency', concat(format('it waits for %s other jobs', j.waits_for), ', and reads an output of ' || r.job_id),
           case when r.job_id is null then jsonb_build_object('verb', 'amend', 'job', p_job, 'fields', '{"after": []}'::jsonb, 'jobs', (
             select jsonb_agg(jsonb_build_object('job', d.after_job_id, 'when', d.wants) order by d.after_job_id)
               from rehearsal.dependencies as d where d.job_id = p_job and not d.satisfied)) end
      from job as j
      left join lateral (select d.after_job_id as job_id
                           from rehearsal.dependencies as d
                          where d.job_id = p_job and not d.satisfied and d.after_job_id = any(rehearsal._read_from(j.inputs))
                          order by d.after_job_id
                          limit 1) as r on true
     where j.waits_for > 0
     union all
    select 2, 'future', format('it may not start before %s', j.not_before),
           jsonb_build_object('verb', 'amend', 'job', p_job, 'fields', '{"run_at": null}'::jsonb)
      from job as j where j.not_before > rehearsal.now()
     union all
    select 3, 'halted', concat_ws(': ', 'all claims are stopped', j.halt_reason), '{"verb": "halt", "on": false}'
      from job as j where j.halted
     union all
    select 4, 'quarantined', concat_ws(': ', format('the kind %s is quarantined', j.kind), j.quarantine_reason),
           jsonb_build_object('verb', 'quarantine', 'kind', j.kind, 'on', false)
      from job as j where j.quarantined
     union all
    select 5, 'paused', format('%s is paused in project %s',
                               case when j.priority = any(j.classes) then format('class %s', j.priority)
                                    else format('kind %s of class %s', j.kind, j.priority) end, j.project),
           jsonb_build_object('verb', 'pause', 'paused', false, 'project', j.project, 'priority', j.priority)
           || case when j.priority = any(j.classes) then '{}' else jsonb_build_object('kind', j.kind) end
      from job as j where j.paused
     union all
    select 6, 'cap', format('project %s runs %s jobs%s and may run %s', j.project, c.runs, c.keeps, c.max_running),
           jsonb_build_object('verb', 'project', 'project', j.project, 'fields', jsonb_build_object('max_running', c.running + 1))
      from job as j, cap as c where c.running >= c.max_running
     union all
    select 7, 'quota', format('project %s has booked %s MiB of VRAM%s, this job needs %s, and it may book %s', j.project, c.booked,
                              c.keeps, j.wants_mib, c.max_vram_mib),
           case when c.vram_mib + j.shrunk_mib <= c.max_vram_mib then jsonb_path_query_first(p_misfits, '$[*].change ? (exists(@.fields.need))')
                else jsonb_build_object('verb', 'project', 'project', j.project,
                                        'fields', jsonb_build_object('max_vram_mib', c.vram_mib + j.shrunk_mib)) end
      from job as j, cap as c where j.wants_mib > 0 and c.vram_mib + j.wants_mib > c.max_vram_mib
  )
  select coalesce(jsonb_agg(jsonb_build_object('cause', h.cause, 'message', h.message)
                            || case when h.change is not null then jsonb_build_object('change', h.change) else '{}' end
                            order by h.place), '[]')
    from hold as h
$$;

-- _try: make these changes on the stage, and the job's class p_class if that is not null, and let the session claim; then all
-- is as it was before.
--
-- Returns  what the session would be given; or the change that is refused (JQ006)
create function rehearsal._try(p_job fleet.jobs, p_causes jsonb, p_session uuid, p_class fleet.priority,
                               out given uuid[], out refused jsonb)
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change  jsonb;
  v_session uuid := p_session;
begin
  given := '{}';
  begin
    for v_change in select c.one -> 'change' from jsonb_array_elements(p_causes) with ordinality as c (one, place)
                     where c.one ? 'change' order by c.place
    loop
      case v_change ->> 'verb'
        when 'amend' then
          perform rehearsal.amend_v1(p_job.project_id, p_job.job_id, v_change -> 'fields');
        when 'halt' then
          perform rehearsal.halt_v1(false);
        when 'quarantine' then
          perform rehearsal.quarantine_v1(v_change ->> 'kind', false);
        when 'pause' then
          perform rehearsal.pause_v1(p_job.project_id, false, v_change ->> 'priority', v_change ->> 'kind');
        when 'project' then
          perform rehearsal.project_v1(v_change ->> 'project', v_change -> 'fields');
        when 'label' then
          perform rehearsal.label_node_v1(v_change ->> 'node', v_change -> 'labels', v_change -> 'pools');
        when 'drain' then
          perform rehearsal.drain_v1(v_change ->> 'node', false);
        when 'unreserve' then
          delete from rehearsal.reservations as r using rehearsal.nodes as n
           where n.node = v_change ->> 'node' and r.node_id = n.node_id;
        when 'join' then
          v_session := rehearsal._join(v_change);
      end case;
    end loop;
    if p_class is not null then
      perform rehearsal.amend_v1(p_job.project_id, p_job.job_id, jsonb_build_object('priority', p_class));
    end if;
    given := rehearsal._look(v_session);
    raise exception using errcode = 'JQ999';
  exception
    when sqlstate 'JQ999' then
      null;
    when sqlstate 'JQ006' then
      refused := v_change;
  end;
end
$$;
