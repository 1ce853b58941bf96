-- pause_v1: stop or resume claims of a project, of one class of it, or of one kind (in one class); running work goes on.
--
-- Caller   fleet_api
-- Returns  how many lanes changed
-- Locks    the project row, then its lanes, ascending
-- Errors   JQ002 bad_request, JQ005 not_found
--
-- Both are remembered for lanes to come: a job of another class, or the first of its kind, is no way round a pause. Who resumes
-- a project or a class resumes the kinds that were paused in it, too.
create function fleet.pause_v1(p_project uuid, p_paused boolean, p_priority text default null, p_kind text default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_classes fleet.priority[];
  v_changed integer;
begin
  perform fleet._audit('pause', jsonb_build_object('project', p_project, 'paused', p_paused, 'priority', p_priority, 'kind', p_kind));
  if p_paused is null then
    raise exception using errcode = 'JQ002', message = 'a pause begins or ends', column = 'paused', hint = 'true or false.';
  end if;
  if p_priority is not null and p_priority not in ('low', 'normal', 'high', 'urgent') then
    raise exception using errcode = 'JQ002', message = format('there is no priority %s', p_priority), column = 'priority',
      hint = 'low, normal, high or urgent; leave it out for all.';
  end if;
  if not exists (select from fleet.kinds as k where k.kind = p_kind) and p_kind is not null then
    raise exception using errcode = 'JQ005', message = format('there is no kind %s', p_kind), column = 'kind',
      hint = (select 'Use one of: ' || string_agg(k.kind, ', ' order by k.kind) from fleet.kinds as k);
  end if;
  v_classes := case when p_priority is null then enum_range(null::fleet.priority) else array[p_priority::fleet.priority] end;
  update fleet.projects as p
     set paused = array(select c from unnest(enum_range(null::fleet.priority)) as c
                         where case when c = any(v_classes) and p_kind is null then p_paused else c = any(p.paused) end)
   where p.project_id = p_project;
  if p_paused then
    insert into fleet.paused_kinds (project_id, kind, priority)
    select p_project, p_kind, c from unnest(v_classes) as c where p_kind is not null
        on conflict do nothing;
  else
    delete from fleet.paused_kinds as k
     where k.project_id = p_project and k.priority = any(v_classes) and (p_kind is null or k.kind = p_kind);
  end if;
  perform 1 from fleet.lanes as l where l.project_id = p_project order by l.lane_id for no key update;
  update fleet.lanes as l
     set paused = p_paused
    from fleet.projects as p, fleet.needs as n
   where l.project_id = p_project
     and p.project_id = p_project
     and n.need_id = l.need_id
     and l.priority = any(v_classes)
     and l.paused <> p_paused
     and (p_kind is null or n.kind = p_kind)
     and (p_paused or not l.priority = any(p.paused));  -- a kind is not resumed in a class that is paused
  get diagnostics v_changed = row_count;
  return to_jsonb(v_changed);
end
$$;

-- drain_v1: a node finishes what it runs and takes nothing new; or takes work again.
--
-- Caller   fleet_api
-- Returns  whether this changed anything
-- Errors   JQ005 not_found
create function fleet.drain_v1(p_node text, p_on boolean)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_node bigint;
begin
  perform fleet._audit('drain', jsonb_build_object('node', p_node, 'on', p_on));
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

-- label_node_v1: replace a node's labels and pools. An agent cannot: it would choose whose data it sees.
--
-- Caller   fleet_admin
-- Errors   JQ002 bad_request, JQ005 not_found
create function fleet.label_node_v1(p_node text, p_labels jsonb, p_pools jsonb)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform fleet._audit('label_node', jsonb_build_object('node', p_node, 'labels', p_labels, 'pools', p_pools));
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

-- configure_v1: change what the whole fleet agrees on (columns of fleet.settings), by name.
--
-- Caller   fleet_admin
-- Returns  the settings as they are now
-- Errors   JQ002 bad_request
create function fleet.configure_v1(p_settings jsonb)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now     fleet.settings;
  v_unknown text;
begin
  perform fleet._audit('configure', p_settings);
  select s.* into strict v_now from fleet.settings as s for update;
  select k.name into v_unknown from jsonb_object_keys(p_settings) as k (name)
   where k.name in ('one', 'halted', 'halt_reason') or not to_jsonb(v_now) ? k.name limit 1;
  if found then
    raise exception using errcode = 'JQ002', column = v_unknown, message = format('there is no setting %s', v_unknown),
      hint = (select 'Use one of: ' || string_agg(k.name, ', ' order by k.name)
                from jsonb_object_keys(to_jsonb(v_now) - '{one,halted,halt_reason}'::text[]) as k (name));
  end if;
  v_now := jsonb_populate_record(v_now, p_settings);
  update fleet.settings as s
     set lease_s = v_now.lease_s, heartbeat_s = v_now.heartbeat_s, max_infra_retries = v_now.max_infra_retries,
         alarm_share = v_now.alarm_share, alarm_min_nodes = v_now.alarm_min_nodes, alarm_hold_s = v_now.alarm_hold_s,
         log_bytes = v_now.log_bytes, durable = v_now.durable, fair_half_life_s = v_now.fair_half_life_s,
         fair_quantum = v_now.fair_quantum, low_share = v_now.low_share, reserve_after_s = v_now.reserve_after_s,
         reserve = v_now.reserve, preempt_grace_s = v_now.preempt_grace_s, missed_after_s = v_now.missed_after_s,
         oom_near = v_now.oom_near, oom_rungs = v_now.oom_rungs, raise_s = v_now.raise_s, warm_patience_s = v_now.warm_patience_s;
  return to_jsonb(v_now) - '{one,halted,halt_reason}'::text[];
exception when check_violation or not_null_violation or invalid_text_representation or numeric_value_out_of_range then
  raise exception using errcode = 'JQ002', message = format('these settings do not go together: %s', sqlerrm),
    column = 'settings', hint = 'Three heartbeats must fit into a lease; numbers are not negative.';
end
$$;
