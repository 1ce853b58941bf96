-- _best_node: of the live nodes the one that lacks least for a job, and what it lacks; when there is none that runs its kind,
-- the machine that would have to join.
--
-- Returns  session_id and node (null when one has to join); causes as why_v1 gives them
create function rehearsal._best_node(p_job uuid)
  returns table (session_id uuid, node text, causes jsonb)
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  c_looked_at constant integer := 50;  -- nodes; the likeliest ones
  v_job    rehearsal.jobs;
  v_shape  rehearsal.shapes;
  v_need   rehearsal.needs;
  v_node   record;
  v_causes jsonb;
  v_least  double precision := 'infinity';
  v_lacks  double precision;
begin
  select j.* into strict v_job from rehearsal.jobs as j where j.job_id = p_job;
  select s.* into strict v_shape from rehearsal.lanes as l join rehearsal.shapes as s on s.shape_id = l.shape_id
   where l.lane_id = v_job.lane_id;
  select n.* into strict v_need from rehearsal.lanes as l join rehearsal.needs as n on n.need_id = l.need_id
   where l.lane_id = v_job.lane_id;
  for v_node in
    select s.session_id, n.node_id, n.node, n.draining, n.labels as set_labels, n.facts || n.labels as labels, n.pools,
           v_shape.pools is not null and not coalesce(v_shape.pools && n.pools, false) as distrusted,
           (select count(*) from jsonb_each(v_shape.labels) as w (name, value)
             where (n.facts || n.labels) -> w.name is distinct from w.value) as missing,
           rehearsal._is_big(n, v_shape) as big,
           exists (select from rehearsal.reservations as r where r.node_id = n.node_id and r.job_id <> p_job) as keeps
      from rehearsal.sessions as s
      join rehearsal.nodes as n on n.node_id = s.node_id
      join rehearsal.bookings as b on b.node_id = n.node_id
     where s.ended_at is null and v_shape.kind = any(s.kinds)
     order by n.draining, distrusted, missing, big desc, keeps,
              (select max(d.total_mib - d.headroom_mib - coalesce(m.mib, 0))
                 from rehearsal.devices as d
                 left join lateral unnest(b.idx, b.mib) as m (idx, mib) on m.idx = d.idx
                where d.node_id = n.node_id and d.takes_vram and v_shape.device in ('any', d.kind)) desc nulls last, n.node_id
     limit c_looked_at
  loop
    v_causes := '[]';
    v_lacks := 0;
    if v_node.draining then
      v_causes := v_causes || jsonb_build_object(
        'cause', 'draining', 'message', format('node %s takes nothing new', v_node.node),
        'change', jsonb_build_object('verb', 'drain', 'node', v_node.node, 'on', false));
      v_lacks := v_lacks + 100;
    end if;
    if v_node.missing > 0 or v_node.distrusted then
      v_causes := v_causes || rehearsal._mislabelled(v_node.node, v_node.set_labels, v_node.labels, v_node.pools, v_shape);
      v_lacks := v_lacks + 10 * (v_node.missing + v_node.distrusted::integer);
    end if;
    v_causes := v_causes || rehearsal._cramped(v_job, v_shape, v_need, v_node.node_id, v_node.session_id, v_node.node);
    v_lacks := v_lacks + coalesce((select sum((c.one ->> 'lacks')::double precision)
                                     from jsonb_array_elements(v_causes) as c (one)), 0);
    if v_lacks < v_least then
      v_least := v_lacks;
      session_id := v_node.session_id;
      node := v_node.node;
      causes := (select coalesce(jsonb_agg(c.one - 'lacks' order by c.place), '[]')
                   from jsonb_array_elements(v_causes) with ordinality as c (one, place));
    end if;
    exit when v_least = 0;
  end loop;
  if session_id is null then
    causes := jsonb_build_array(jsonb_build_object(
      'cause', 'no_live_node',
      'message', case when exists (select from rehearsal.sessions as s where s.ended_at is null)
                      then format('no live node runs the kind %s', v_shape.kind) else 'no node is live' end,
      'change', jsonb_build_object(
        'verb', 'join', 'kind', v_shape.kind, 'gpus', v_shape.gpus, 'vram_mib', v_shape.vram_mib, 'device', v_shape.device,
        'cpu_milli', v_shape.cpu_milli, 'ram_mib', v_shape.ram_mib, 'disk_mib', v_shape.disk_mib, 'labels', v_shape.labels,
        'pools', v_shape.pools)));
  end if;
  return next;
end
$$;

-- _is_big: whether a shape would fit a node if it were empty.
create function rehearsal._is_big(p_node rehearsal.nodes, p_shape rehearsal.shapes)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select p_node.cpu_milli >= p_shape.cpu_milli
         and p_node.disk_mib >= p_shape.disk_mib
         and count(*) filter (where d.takes_vram and p_shape.device in ('any', d.kind)
                                    and d.total_mib - d.headroom_mib
                                        >= p_shape.vram_mib + case when d.idx = -1 then p_shape.ram_mib else 0 end) >= p_shape.gpus
         and bool_or(d.idx = -1 and d.total_mib - d.headroom_mib >= p_shape.ram_mib)
    from rehearsal.devices as d
   where d.node_id = p_node.node_id
$$;

-- _mislabelled: the labels, and the pool, a node would need to serve a shape.
create function rehearsal._mislabelled(p_node text, p_set jsonb, p_has jsonb, p_pools text[], p_shape rehearsal.shapes)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with missing as (
    select coalesce(jsonb_object_agg(w.name, w.value), '{}') as labels,
           string_agg(format('%s=%s', w.name, w.value #>> '{}'), ', ' order by w.name) as text
      from jsonb_each(p_shape.labels) as w (name, value)
     where p_has -> w.name is distinct from w.value
  )
  select jsonb_build_object(
           'cause', 'label',
           'message', concat_ws('; ', 'no free node carries ' || m.text || ', ' || p_node || ' lacks least',
                                case when p_shape.pools is not null and not p_shape.pools && p_pools
                                     then format('the project trusts only the pools %s', array_to_string(p_shape.pools, ', ')) end),
           'change', jsonb_build_object(
             'verb', 'label', 'node', p_node, 'labels', p_set || m.labels, 'missing', m.labels,
             'pools', to_jsonb(case when p_shape.pools is null or p_shape.pools && p_pools then p_pools
                                    else p_pools || p_shape.pools[1] end)))
    from missing as m
$$;

-- _cramped: why a node has no room for a job now: too small, busy, or keeping its room for another; '[]' when it has.
--
-- lacks, in each, says how far it is from starting there: what _best_node compares
create function rehearsal._cramped(p_job rehearsal.jobs, p_shape rehearsal.shapes, p_need rehearsal.needs, p_node bigint,
                                   p_session uuid, p_name text)
  returns jsonb
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now   timestamptz := rehearsal.now();
  v_room  rehearsal.room;
  v_free  rehearsal.room;
  v_kept  rehearsal.kept;
  v_other record;
  v_need  jsonb;
  v_fit   boolean;
  v_big   boolean;
  v_at    timestamptz;
  v_sick  text;
begin
  v_room := rehearsal._measure(p_session, (select s.slots from rehearsal.sessions as s where s.session_id = p_session),
                               (select n.cpu_milli from rehearsal.nodes as n where n.node_id = p_node),
                               (select b from rehearsal.bookings as b where b.node_id = p_node), rehearsal._sample(p_node));
  v_free := v_room;
  v_fit := cardinality(rehearsal._places(v_room, p_shape, 1)) = 1;
  if (select t.reserve from rehearsal.settings as t) then
    v_kept := rehearsal._kept(p_node, p_session, v_room);
    if v_kept.job_id is distinct from p_job.job_id and v_kept.begins_at is not null
       and not (p_job.priority = 'urgent' and v_kept.priority < 'urgent')
       and coalesce(v_now + make_interval(secs => p_need.run_s) > v_kept.begins_at, true) then
      v_free := rehearsal._least(v_room, v_kept.rest);
    end if;
  end if;
  if cardinality(rehearsal._places(v_free, p_shape, 1)) = 1 then
    return '[]';
  end if;
  if v_fit then
    select j.project_id = p_job.project_id as own into v_other from rehearsal.jobs as j where j.job_id = v_kept.job_id;
    return jsonb_build_array(jsonb_build_object(
      'cause', 'reservation', 'lacks', 0.1,
      'message', format('node %s keeps its room for %s, which should start by %s; only what ends before then goes first', p_name,
                        case when v_other.own then 'job ' || v_kept.job_id else 'a job of another project' end, v_kept.begins_at),
      'change', jsonb_strip_nulls(jsonb_build_object(
        'verb', 'unreserve', 'node', p_name, 'job', case when v_other.own then v_kept.job_id end, 'until', v_kept.begins_at))));
  end if;

  v_need := rehearsal._shrunk(v_free, p_job, p_shape);
  v_big := exists (select from rehearsal.sessions as s join rehearsal.nodes as n on n.node_id = s.node_id
                    where s.ended_at is null and p_shape.kind = any(s.kinds) and rehearsal._is_big(n, p_shape)
                      and (n.node_id = p_node or rehearsal._suits(p_shape, n.facts || n.labels, n.pools)));
  v_at := (select min(f.free_at) from rehearsal._free_times(p_shape, v_now, p_job.job_id, 1000) as f);
  select string_agg(format('device %s of %s is out of work (%s)', d.idx, d.node, d.fault), '; ')
    into v_sick
    from (select d.idx, n.node, d.fault
            from rehearsal.devices as d join rehearsal.nodes as n on n.node_id = d.node_id
           where d.fault is not null and p_shape.gpus > 0 and p_shape.device in ('any', d.kind)
             and d.total_mib - d.headroom_mib >= p_shape.vram_mib
           order by n.node, d.idx
           limit 3) as d;
  return jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
    'cause', case when v_big then 'busy' else 'too_big' end,
    'lacks', case when v_need is null then 5
                  else 1 - 1.0 / (1 + (p_shape.vram_mib - least(p_shape.vram_mib, (v_need ->> 'vram_mib')::integer)) / 1024.0
                                    + (p_shape.cpu_milli - coalesce((v_need ->> 'cpu_milli')::integer, p_shape.cpu_milli)) / 1000.0
                                    + (p_shape.ram_mib - least(p_shape.ram_mib, (v_need ->> 'ram_mib')::integer)) / 4096.0
                                    + 0.01) end,
    'message', concat_ws('; ', format('%s; node %s has %s', case when not v_big then 'it is larger than any live node that may run it'
                                                 else concat('the nodes that could run it are busy', ', the next place should be free at ' || v_at) end,
                      p_name, coalesce('room now for ' || (select string_agg(format('%s %s', e.key, e.value), ', ')
                                                             from jsonb_each_text(v_need) as e),
                                       case when (v_room).slots < 1 then 'no free slot' else 'too little room' end)), v_sick),
    'change', case when v_need is not null
                   then jsonb_build_object('verb', 'amend', 'job', p_job.job_id, 'fields', jsonb_build_object('need', v_need)) end,
    'free_at', case when v_big then v_at end)));
end
$$;

-- _shrunk: the largest need, no field larger than the shape's, that has room; only the fields to be amended. Null when
-- not even the smallest has.
--
-- What ran out of memory is not tried with less again: a change to less would change nothing. On fewer GPUs a job is of
-- another size: there memory is named in any case, lest it be what is usual or learned, and is more where less ran out.
create function rehearsal._shrunk(p_room rehearsal.room, p_job rehearsal.jobs, p_shape rehearsal.shapes)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_small rehearsal.shapes := p_shape;
  v_least record;
  v_ram   integer := least(p_shape.ram_mib, (p_room).claimable[cardinality((p_room).claimable)]);
  v_fits  integer := 0;
  v_not   integer := p_shape.vram_mib + 1;
  v_try   integer;
begin
  v_small.cpu_milli := least(p_shape.cpu_milli, (p_room).cpu_milli);
  v_small.disk_mib := least(p_shape.disk_mib, (p_room).disk_mib);
  if least(v_small.cpu_milli, v_small.disk_mib, v_ram) < 0 or (p_room).slots < 1 then
    return null;
  end if;
  loop
    v_least := rehearsal._least_mib(p_job, v_small.gpus);
    if v_small.gpus = p_shape.gpus then
      v_least.vram_mib := least(v_least.vram_mib, p_shape.vram_mib);
      v_least.ram_mib := least(v_least.ram_mib, p_shape.ram_mib);
    end if;
    v_small.vram_mib := v_least.vram_mib;
    v_small.ram_mib := greatest(v_ram, v_least.ram_mib);
    exit when cardinality(rehearsal._places(p_room, v_small, 1)) = 1;
    if v_small.gpus <= 1 then
      return null;
    end if;
    v_small.gpus := v_small.gpus - 1;
  end loop;
  if p_shape.gpus > 0 then
    v_fits := v_small.vram_mib;
    while v_not - v_fits > 1 loop
      v_try := (v_fits + v_not) / 2;
      v_small.vram_mib := v_try;
      if cardinality(rehearsal._places(p_room, v_small, 1)) = 1 then
        v_fits := v_try;
      else
        v_not := v_try;
      end if;
    end loop;
    v_small.vram_mib := v_fits;
  end if;
  return nullif(jsonb_strip_nulls(jsonb_build_object(
    'gpus', nullif(v_small.gpus, p_shape.gpus),
    'vram_mib', case when (v_small.gpus, v_small.vram_mib) <> (p_shape.gpus, p_shape.vram_mib) then v_small.vram_mib end,
    'cpu_milli', nullif(v_small.cpu_milli, p_shape.cpu_milli), 'ram_mib', nullif(v_small.ram_mib, p_shape.ram_mib),
    'disk_mib', nullif(v_small.disk_mib, p_shape.disk_mib))), '{}');
end
$$;

-- _least_mib: never less than this is booked for a job on so many GPUs, since attempts with less ran out of memory: what
-- is known of the need it would have then (_lanes_for).
create function rehearsal._least_mib(p_job rehearsal.jobs, p_gpus integer, out vram_mib integer, out ram_mib integer)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(max(case when p_gpus > 0 then greatest(n.raised_mib, l.mib) end), least(p_gpus, 1)),
         coalesce(max(case when p_gpus > 0 then n.raised_ram_mib else greatest(n.raised_ram_mib, l.mib) end), 0)
    from rehearsal.kinds as k
    join rehearsal.needs as n
      on (n.kind, n.model_key, n.size_key)
       = (k.kind, coalesce(p_job.params ->> k.model_param, ''),
          rehearsal._size_key(k.size_params, p_job.params, p_gpus, k.gpus))
     and (k.shared_learning or n.project_id = p_job.project_id)
   cross join lateral (select case when n.outgrown then n.learned_mib end as mib) as l
   where k.kind = p_job.kind
$$;

-- _join: a machine joins on the stage with just what a change asks for, nothing of it kept back.
--
-- Returns  its session
create function rehearsal._join(p_machine jsonb)
  returns uuid
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name    text := 'rehearsal-' || gen_random_uuid();
  v_gpus    integer := (p_machine ->> 'gpus')::integer;
  v_on_ram  boolean := v_gpus > 0 and p_machine ->> 'device' = 'ram';
  v_ram_mib integer := (p_machine ->> 'ram_mib')::integer;
  v_session uuid;
begin
  if v_on_ram then
    v_ram_mib := v_ram_mib + (p_machine ->> 'vram_mib')::integer;
    v_gpus := 0;
  end if;
  v_session := (rehearsal.join_v1(jsonb_build_object(
    'node', v_name, 'instance', v_name, 'boot', '0@0', 'version', 'rehearsal', 'slots', 1,
    'kinds', jsonb_build_array(p_machine -> 'kind'), 'labels', p_machine -> 'labels',
    'cpu_milli', p_machine -> 'cpu_milli', 'disk_mib', p_machine -> 'disk_mib',
    'devices', (select jsonb_agg(jsonb_build_object('idx', g.idx, 'uuid', v_name, 'name', v_name, 'headroom_mib', 0,
                                                    'kind', case when g.idx = -1 then 'ram' else 'gpu' end,
                                                    'total_mib', case when g.idx = -1 then v_ram_mib else (p_machine ->> 'vram_mib')::integer end,
                                                    'takes_vram', g.idx > -1 or v_gpus = 0))
                  from generate_series(-1, v_gpus - 1) as g (idx)))) ->> 'session_id')::uuid;
  update rehearsal.sessions as s set secret_hash = sha256('') where s.session_id = v_session;
  update rehearsal.devices as d set free_mib = d.total_mib where d.name = v_name;
  update rehearsal.nodes as n
     set pools = array(select jsonb_array_elements_text(nullif(p_machine -> 'pools', 'null')))
   where n.node = v_name;
  return v_session;
end
$$;
